//! Trying the next service when one fails, and leaving one alone that keeps failing.

use std::{
    fmt,
    future::{Future, poll_fn},
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tower_service::Service;

use crate::{
    Balance, BalanceError, HashOf, Pick, Unhashed,
    balance::Flight,
    ejection::{Ejection, Ejections},
};

/// A [`Balance`] that tries another service when one fails, and takes one out of rotation for a while
/// that fails several times in a row.
///
/// A request has to be [`Clone`] to be sent again (an `http::Request` is, if its body is). It meets no
/// service twice while there is another. Without more said it is tried at all services, and any that
/// has failed three times in a row is left alone for ten seconds; if none is in rotation they are all
/// asked again.
///
/// ```
/// use tower::{ServiceExt, service_fn};
/// use towergate_lb::{Balance, RoundRobin};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let service = |up: bool| service_fn(move |_: ()| async move { if up { Ok("here") } else { Err("down") } });
/// let services = Balance::new(vec![service(false), service(true), service(false)], RoundRobin::new([1, 1, 1]));
/// let services = services.failover();
/// for _ in 0..9 {
///     assert_eq!(services.clone().oneshot(()).await, Ok("here"));
/// }
/// # }
/// ```
pub struct Failover<S, P, H = Unhashed, J = EveryError> {
    balance: Balance<S, P, H>,
    attempts: usize,
    ejections: Arc<Ejections>,
    failed: J,
}

/// Every error is a failure, and no response is.
#[derive(Debug, Clone, Copy, Default)]
pub struct EveryError;

/// What counts as a failure of a service.
pub trait Failed<T, E> {
    /// Whether this answer does.
    fn failed(&self, answer: &Result<T, E>) -> bool;
}

impl<T, E> Failed<T, E> for EveryError {
    fn failed(&self, answer: &Result<T, E>) -> bool {
        answer.is_err()
    }
}

impl<T, E, F: Fn(&Result<T, E>) -> bool> Failed<T, E> for F {
    fn failed(&self, answer: &Result<T, E>) -> bool {
        self(answer)
    }
}

impl<S, P: Pick, H> Balance<S, P, H> {
    /// Tries another service when one fails: see [`Failover`].
    pub fn failover(self) -> Failover<S, P, H> {
        let (services, ejection) = (self.len(), Ejection::default());
        let ejections = Arc::new(Ejections::new(services, ejection));
        Failover { balance: self, attempts: services.max(1), ejections, failed: EveryError }
    }
}

impl<S, P, H, J> Failover<S, P, H, J> {
    /// At how many services a request is tried at most; 1 is no second attempt, and 0 counts as 1.
    #[must_use]
    pub fn attempts(mut self, attempts: usize) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// After so many failures in a row a service is left alone for so long.
    #[must_use]
    pub fn eject_after(mut self, failures: NonZeroU32, pause: Duration) -> Self {
        self.ejections = Arc::new(Ejections::new(self.balance.len(), Ejection { failures, pause }));
        self
    }

    /// What counts as a failure, in place of every error: to answer it the request is tried elsewhere,
    /// unless it was the last attempt.
    ///
    /// ```
    /// # use towergate_lb::{Balance, RoundRobin};
    /// # let services = vec![tower::service_fn(|_: ()| async { Ok::<_, std::io::Error>(http::Response::new(())) })];
    /// let balance = Balance::new(services, RoundRobin::new([1])).failover().failed_if(
    ///     |answer: &Result<http::Response<()>, std::io::Error>| match answer {
    ///         Ok(response) => response.status().is_server_error(),
    ///         Err(_) => true,
    ///     },
    /// );
    /// ```
    #[must_use]
    pub fn failed_if<F>(self, failed: F) -> Failover<S, P, H, F> {
        Failover { balance: self.balance, attempts: self.attempts, ejections: self.ejections, failed }
    }
}

impl<S, P, H: Clone, J: Clone> Clone for Failover<S, P, H, J> {
    fn clone(&self) -> Self {
        Self {
            balance: self.balance.clone(),
            attempts: self.attempts,
            ejections: self.ejections.clone(),
            failed: self.failed.clone(),
        }
    }
}

impl<S, P: fmt::Debug, H, J> fmt::Debug for Failover<S, P, H, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { balance, attempts, ejections, .. } = self;
        f.debug_struct("Failover")
            .field("balance", balance)
            .field("attempts", attempts)
            .field("ejections", ejections)
            .finish_non_exhaustive()
    }
}

impl<S, P, H, J, R> Service<R> for Failover<S, P, H, J>
where
    S: Service<R> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Response: Send,
    S::Error: Send,
    P: Pick + 'static,
    H: HashOf<R> + Clone + Send + Sync + 'static,
    J: Failed<S::Response, S::Error> + Clone + Send + Sync + 'static,
    R: Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = BalanceError<S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BalanceError<S::Error>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let this = self.clone();
        let hash = this.balance.hash_of(&request);
        Box::pin(async move { this.run(hash, request).await })
    }
}

impl<S, P: Pick, H, J> Failover<S, P, H, J> {
    async fn run<R>(self, hash: u32, request: R) -> Result<S::Response, BalanceError<S::Error>>
    where
        S: Service<R> + Clone,
        J: Failed<S::Response, S::Error>,
        R: Clone,
    {
        let mut tried = Vec::new();
        loop {
            let now = Instant::now();
            self.ejections.readmit(now, |place| self.balance.picker().set_available(place, true));
            let Some((place, mut service)) = self.pick(hash, &tried) else {
                return Err(BalanceError::NoneAvailable);
            };
            tried.push(place);
            let flight = Flight::begin(self.balance.picker().clone(), place);
            let answer = match poll_fn(|cx| service.poll_ready(cx)).await {
                Ok(()) => service.call(request.clone()).await,
                Err(error) => Err(error),
            };
            flight.observe(Instant::now());
            let failed = self.failed.failed(&answer);
            if self.ejections.record(place, failed, Instant::now()) {
                self.balance.picker().set_available(place, false);
            }
            if !failed || tried.len() >= self.attempts.min(self.balance.len()) {
                return answer.map_err(BalanceError::Service);
            }
        }
    }

    /// The next service to try. With none in rotation all that were ejected are back at once: a
    /// service that may fail is better than a failure for certain.
    fn pick(&self, hash: u32, tried: &[usize]) -> Option<(usize, S)>
    where
        S: Clone,
    {
        self.balance.pick(hash, tried).or_else(|| {
            self.ejections.end_all(|place| self.balance.picker().set_available(place, true));
            self.balance.pick(hash, tried)
        })
    }
}
