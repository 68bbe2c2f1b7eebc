//! The decisions as a tower layer, between services of one's own.

use std::{
    sync::Arc,
    task::{Context as Task, Poll},
};

use http::{Request, request::Parts};
use tower::util::Oneshot;
use tower_layer::Layer;
use tower_service::Service;
use towergate_core::Context;

/// Decides which of several other services a request goes to.
pub trait Choose: Send + Sync + 'static {
    /// The place of the other service, in the order in which the policy names them; `None` for the one
    /// that is wrapped.
    fn choose(&self, cx: &Context, head: &Parts) -> Option<usize>;
}

/// Sends requests to other services than the one that is wrapped, as a policy decides: a
/// [`Canary`](crate::Canary), [`RouteByHeader`](crate::RouteByHeader) or
/// [`TrafficSplit`](crate::TrafficSplit). In the gateway the same policies choose among services of the
/// configuration.
#[derive(Debug)]
pub struct SplitLayer<P, S> {
    policy: Arc<P>,
    others: Arc<[S]>,
}

/// The service of a [`SplitLayer`]. It is always ready: whether the chosen service is, is waited for in
/// the request's future.
#[derive(Debug)]
pub struct SplitService<P, S> {
    policy: Arc<P>,
    others: Arc<[S]>,
    inner: S,
}

impl<P: Choose, S> SplitLayer<P, S> {
    /// Decides so between the service that is wrapped and these, in the order in which the policy names
    /// them. A place beyond them is the wrapped one.
    pub fn new(policy: P, others: impl IntoIterator<Item = S>) -> Self {
        Self { policy: Arc::new(policy), others: others.into_iter().collect() }
    }
}

impl<P, S> Clone for SplitLayer<P, S> {
    fn clone(&self) -> Self {
        Self { policy: self.policy.clone(), others: self.others.clone() }
    }
}

impl<P, S: Clone> Clone for SplitService<P, S> {
    fn clone(&self) -> Self {
        Self { policy: self.policy.clone(), others: self.others.clone(), inner: self.inner.clone() }
    }
}

impl<P, S> Layer<S> for SplitLayer<P, S> {
    type Service = SplitService<P, S>;

    fn layer(&self, inner: S) -> Self::Service {
        SplitService { policy: self.policy.clone(), others: self.others.clone(), inner }
    }
}

impl<P, S, B> Service<Request<B>> for SplitService<P, S>
where
    P: Choose,
    S: Service<Request<B>> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Oneshot<S, Request<B>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let cx = Context::of(&mut head);
        let chosen = self.policy.choose(&cx, &head).and_then(|place| self.others.get(place));
        let service = chosen.unwrap_or(&self.inner).clone();
        Oneshot::new(service, Request::from_parts(head, body))
    }
}
