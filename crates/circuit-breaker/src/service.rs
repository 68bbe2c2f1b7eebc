//! The service of the layer, and its future.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;
use towergate_core::{Context, GuardBody, Part, Plugin, Reply, Slot};

use crate::{
    config::Scope,
    failures::Ending,
    judge::{EveryError, Judge},
    policy::{Call, CircuitBreaker, STATE},
    targets::Targets,
};

/// A service behind a circuit breaker; see [`CircuitBreakerLayer`](crate::CircuitBreakerLayer).
#[derive(Debug, Clone)]
pub struct CircuitBreakerService<S, J = EveryError> {
    inner: S,
    slot: Slot<CircuitBreaker>,
    judge: J,
}

impl<S, J> CircuitBreakerService<S, J> {
    pub(crate) fn new(inner: S, slot: Slot<CircuitBreaker>, judge: J) -> Self {
        Self { inner, slot, judge }
    }
}

impl<S, J, B, R> Service<Request<B>> for CircuitBreakerService<S, J>
where
    S: Service<Request<B>, Response = Response<R>>,
    J: Judge<S::Error> + Clone,
{
    type Response = Response<GuardBody<R>>;
    type Error = S::Error;
    type Future = CircuitBreakerFuture<S::Future, J>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = with_context(request);
        let stage = match admit(&self.slot, &request) {
            Ok(watching) => Stage::Called { future: self.inner.call(request), watching },
            Err(refused) => Stage::Refused { refused: Some(refused) },
        };
        CircuitBreakerFuture { stage, judge: self.judge.clone() }
    }
}

/// A request has its context already in a gateway, and inside another of our layers.
fn with_context<B>(request: Request<B>) -> Request<B> {
    if request.extensions().get::<Arc<Context>>().is_some() {
        return request;
    }
    let (mut head, body) = request.into_parts();
    Context::of(&mut head);
    Request::from_parts(head, body)
}

/// Whether the request goes on, and whether somebody wants to know what becomes of it.
fn admit<B>(slot: &Slot<CircuitBreaker>, request: &Request<B>) -> Result<Option<Watching>, Box<(Reply, Arc<Context>)>> {
    let Some(cx) = request.extensions().get::<Arc<Context>>() else { return Ok(None) };
    let Some(policy) = slot.policy(cx) else { return Ok(None) };
    cx.spans.begin(|| Part::Check(CircuitBreaker::NAME));
    let admitted = asked(slot, policy, cx);
    cx.spans.end();
    admitted
}

/// The same, of this policy.
fn asked(
    slot: &Slot<CircuitBreaker>,
    policy: &CircuitBreaker,
    cx: &Arc<Context>,
) -> Result<Option<Watching>, Box<(Reply, Arc<Context>)>> {
    if policy.scope == Scope::Target {
        cx.set_gate(Box::new(Targets::new(slot.clone())));
        return Ok(None);
    }
    let Some(key) = policy.key(cx) else { return Ok(None) };
    match policy.admit(key, cx) {
        Ok(call) => Ok(Some(Watching { call: Some(call), cx: cx.clone(), slot: slot.clone() })),
        Err(refused) => Err(Box::new((policy.refusal(cx, refused), cx.clone()))),
    }
}

/// A call under way. It points to its policy by the request's own context, so that threads share
/// no count of references.
#[derive(Debug)]
struct Watching {
    call: Option<Call>,
    cx: Arc<Context>,
    slot: Slot<CircuitBreaker>,
}

impl Watching {
    /// Tells how the call ended, and on the response what there is to tell.
    fn answered<R>(&mut self, response: &mut Response<R>) {
        self.cx.spans.begin(|| Part::Respond(CircuitBreaker::NAME));
        let ending = Ending::of(&self.cx, response.status());
        if let Some(state) = self.end(ending) {
            response.headers_mut().insert(STATE, state);
        }
        self.cx.spans.end();
    }

    /// Tells how the call ended. What the answer is to say of the circuit comes back.
    fn end(&mut self, ending: Ending) -> Option<HeaderValue> {
        let call = self.call.take()?;
        let policy = self.slot.policy(&self.cx)?;
        let told = policy.told(&call);
        policy.report(policy.key(&self.cx)?, &self.cx, call, ending);
        told
    }
}

impl Drop for Watching {
    /// Whoever wanted the answer is gone: a trial call's place is free again.
    fn drop(&mut self) {
        self.end(Ending::GivenUp);
    }
}

pin_project! {
    /// The future of a [`CircuitBreakerService`]. Dropping it gives the call up, and with it what
    /// it holds of the circuit.
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct CircuitBreakerFuture<F, J = EveryError> {
        #[pin]
        stage: Stage<F>,
        judge: J,
    }
}

pin_project! {
    #[project = StageProjection]
    #[derive(Debug)]
    enum Stage<F> {
        Called { #[pin] future: F, watching: Option<Watching> },
        Refused { refused: Option<Box<(Reply, Arc<Context>)>> },
    }
}

impl<F, J, R, E> Future for CircuitBreakerFuture<F, J>
where
    F: Future<Output = Result<Response<R>, E>>,
    J: Judge<E>,
{
    type Output = Result<Response<GuardBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.stage.project() {
            StageProjection::Called { future, watching } => {
                let mut result = ready!(future.poll(task));
                if let Some(mut watching) = watching.take() {
                    match &mut result {
                        Ok(response) => watching.answered(response),
                        Err(error) if this.judge.is_failure(error) => _ = watching.end(Ending::Error),
                        Err(_) => _ = watching.end(Ending::Elsewhere),
                    }
                }
                Poll::Ready(result.map(|response| response.map(GuardBody::inner)))
            }
            StageProjection::Refused { refused } => match refused.take().map(|refused| *refused) {
                Some((reply, cx)) => Poll::Ready(Ok(cx.render(reply).map(bytes))),
                // Polled again after it was done; a future may then do anything but panic.
                None => Poll::Pending,
            },
        }
    }
}

fn bytes<R>(bytes: Bytes) -> GuardBody<R> {
    GuardBody::bytes(bytes)
}
