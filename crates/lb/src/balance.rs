//! The algorithms as a tower service.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use pin_project_lite::pin_project;
use tower_service::Service;

use crate::Pick;

/// A tower service that sends each request to one of several services, chosen by an algorithm.
///
/// Always ready: whether the chosen service is, is waited for in the request's future. A request
/// counts as in flight until its future is done or dropped.
///
/// ```
/// use std::convert::Infallible;
/// use tower::{ServiceExt, service_fn};
/// use towergate_lb::{Balance, LeastConnections};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let service = |name: &'static str| service_fn(move |_: ()| async move { Ok::<_, Infallible>(name) });
/// let balance = Balance::new(vec![service("old"), service("new")], LeastConnections::new([9, 0]));
/// assert_eq!(balance.oneshot(()).await.unwrap(), "old");
/// # }
/// ```
pub struct Balance<S, P, H = Unhashed> {
    services: Arc<[S]>,
    picker: Arc<P>,
    hash: H,
}

/// Does not look at requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unhashed;

/// What a request is kept together by.
pub trait HashOf<R> {
    /// See [`hash`](crate::hash).
    fn hash(&self, request: &R) -> u32;
}

impl<R> HashOf<R> for Unhashed {
    fn hash(&self, _: &R) -> u32 {
        0
    }
}

impl<R, F: Fn(&R) -> u32> HashOf<R> for F {
    fn hash(&self, request: &R) -> u32 {
        self(request)
    }
}

impl<S, P: Pick> Balance<S, P, Unhashed> {
    /// Balances over these services, in the order in which `picker` knows them.
    pub fn new(services: impl Into<Arc<[S]>>, picker: P) -> Self {
        Self { services: services.into(), picker: Arc::new(picker), hash: Unhashed }
    }

    /// For [`ConsistentHash`](crate::ConsistentHash): what requests are kept together by.
    ///
    /// ```
    /// use towergate_lb::{Balance, ConsistentHash, hash};
    /// # let services = vec![tower::service_fn(|_: &'static str| async { Ok::<_, std::convert::Infallible>(()) })];
    /// let ring = ConsistentHash::new(10_000, 1, [("10.0.0.1:80", 100)]);
    /// let balance = Balance::new(services, ring).hashed(|user: &&'static str| hash(user.as_bytes()));
    /// ```
    pub fn hashed<H>(self, hash: H) -> Balance<S, P, H> {
        Balance { services: self.services, picker: self.picker, hash }
    }
}

impl<S, P, H> Balance<S, P, H> {
    /// The algorithm, to take services out of rotation.
    pub fn picker(&self) -> &Arc<P> {
        &self.picker
    }

    /// How many services there are.
    pub(crate) fn len(&self) -> usize {
        self.services.len()
    }

    pub(crate) fn hash_of<R>(&self, request: &R) -> u32
    where
        H: HashOf<R>,
    {
        self.hash.hash(request)
    }

    /// A service in rotation, none of those `tried` while there is another.
    pub(crate) fn pick(&self, hash: u32, tried: &[usize]) -> Option<(usize, S)>
    where
        P: Pick,
        S: Clone,
    {
        let place = self.picker.pick(hash, tried)?;
        Some((place, self.services.get(place)?.clone()))
    }
}

impl<S, P, H: Clone> Clone for Balance<S, P, H> {
    fn clone(&self) -> Self {
        Self { services: self.services.clone(), picker: self.picker.clone(), hash: self.hash.clone() }
    }
}

impl<S, P: fmt::Debug, H> fmt::Debug for Balance<S, P, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balance").field("picker", &self.picker).finish_non_exhaustive()
    }
}

impl<S, P, H, R> Service<R> for Balance<S, P, H>
where
    S: Service<R> + Clone,
    P: Pick,
    H: HashOf<R>,
{
    type Response = S::Response;
    type Error = BalanceError<S::Error>;
    type Future = BalanceFuture<S, R, P>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let state = match self.pick(self.hash_of(&request), &[]) {
            None => State::Nowhere,
            Some((place, service)) => {
                let flight = Flight::begin(self.picker.clone(), place);
                State::Waiting { service, request: Some(request), flight: Some(flight) }
            }
        };
        BalanceFuture { state }
    }
}

/// Why a balanced request got no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalanceError<E> {
    /// No service is in rotation.
    NoneAvailable,
    /// The chosen service failed.
    Service(E),
}

impl<E: fmt::Display> fmt::Display for BalanceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoneAvailable => f.write_str("no service is in rotation"),
            Self::Service(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for BalanceError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoneAvailable => None,
            Self::Service(error) => Some(error),
        }
    }
}

/// A request in flight; no more when this is dropped.
pub(crate) struct Flight<P: Pick> {
    picker: Arc<P>,
    place: usize,
    began: Instant,
}

impl<P: Pick> Flight<P> {
    pub(crate) fn begin(picker: Arc<P>, place: usize) -> Self {
        picker.begin(place);
        Self { picker, place, began: Instant::now() }
    }

    /// Tells the algorithm how long the answer took.
    pub(crate) fn observe(&self, now: Instant) {
        self.picker.observe(self.place, now.saturating_duration_since(self.began), now);
    }
}

impl<P: Pick> Drop for Flight<P> {
    fn drop(&mut self) {
        self.picker.end(self.place);
    }
}

pin_project! {
    /// The future of a [`Balance`].
    pub struct BalanceFuture<S: Service<R>, R, P: Pick> {
        #[pin]
        state: State<S, R, P, S::Future>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, R, P: Pick, F> {
        Waiting { service: S, request: Option<R>, flight: Option<Flight<P>> },
        Running { #[pin] answer: F, flight: Flight<P> },
        Nowhere,
    }
}

impl<S: Service<R>, R, P: Pick> Future for BalanceFuture<S, R, P> {
    type Output = Result<S::Response, BalanceError<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Waiting { service, request, flight } => {
                    ready!(service.poll_ready(cx)).map_err(BalanceError::Service)?;
                    let (Some(request), Some(flight)) = (request.take(), flight.take()) else { return Poll::Pending };
                    let answer = service.call(request);
                    state.set(State::Running { answer, flight });
                }
                StateProjection::Running { answer, flight } => {
                    let answer = ready!(answer.poll(cx));
                    flight.observe(Instant::now());
                    return Poll::Ready(answer.map_err(BalanceError::Service));
                }
                StateProjection::Nowhere => return Poll::Ready(Err(BalanceError::NoneAvailable)),
            }
        }
    }
}

impl<S: Service<R>, R, P: Pick> fmt::Debug for BalanceFuture<S, R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BalanceFuture").finish_non_exhaustive()
    }
}
