//! The layer around the service whose responses cost something.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use towergate_core::{Context, Env, GuardBody, Pages, Part, Plugin, PluginError, Reply, Slot};

use super::{config::ResponseRatelimitingConfig, policy::ResponseRatelimiting};
use crate::store::{Counted, Counting, StoreError};

/// Limits what the responses of a service cost, as the service says itself.
///
/// A response that costs something while a limit is used up is replaced by a 429 without a body.
#[derive(Debug, Clone)]
pub struct ResponseRateLimitLayer {
    slot: Slot<ResponseRatelimiting>,
}

impl ResponseRateLimitLayer {
    /// With this configuration, for every request.
    ///
    /// # Errors
    /// A limit whose name cannot be part of a header's, and what else is wrong, with its place.
    pub fn new(config: ResponseRatelimitingConfig) -> Result<Self, PluginError> {
        ResponseRatelimiting::new(config, &Env::default()).map(|policy| Self { slot: Slot::own(policy) })
    }

    pub(super) fn at(slot: Slot<ResponseRatelimiting>) -> Self {
        Self { slot }
    }
}

impl<S> Layer<S> for ResponseRateLimitLayer {
    type Service = ResponseRateLimitService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ResponseRateLimitService { inner, slot: self.slot.clone() }
    }
}

/// The service of a [`ResponseRateLimitLayer`].
#[derive(Debug, Clone)]
pub struct ResponseRateLimitService<S> {
    inner: S,
    slot: Slot<ResponseRatelimiting>,
}

impl<S, B, R> Service<Request<B>> for ResponseRateLimitService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<GuardBody<R>>;
    type Error = S::Error;
    type Future = ResponseRateLimitFuture<S::Future, R, S::Error>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let cx = Context::of(&mut head);
        let request = Request::from_parts(head, body);
        if self.slot.policy(&cx).is_none() {
            let future = self.inner.call(request);
            return ResponseRateLimitFuture { state: State::Unlimited { future } };
        }
        // The instance that was made ready serves this call; a fresh clone takes its place.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let future = Box::pin(limited(inner, self.slot.clone(), cx, request));
        ResponseRateLimitFuture { state: State::Limited { future } }
    }
}

/// A request's way through a policy.
async fn limited<S, B, R>(
    mut inner: S,
    slot: Slot<ResponseRatelimiting>,
    cx: Arc<Context>,
    request: Request<B>,
) -> Result<Response<GuardBody<R>>, S::Error>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    let (head, body) = request.into_parts();
    cx.spans.begin(|| Part::Check(ResponseRatelimiting::NAME));
    let found = slot.policy(&cx).and_then(|policy| Some((policy, policy.look(&cx, &head)?)));
    let request = Request::from_parts(head, body);
    let Some((policy, (identifier, now, counting))) = found else {
        cx.spans.end();
        return inner.call(request).await.map(|response| response.map(GuardBody::inner));
    };
    let decided = policy.decide(identifier, now, done(counting).await);
    cx.spans.end();
    let usage = match decided {
        Ok(usage) => usage,
        Err(reply) => return Ok(rendered(*reply, &cx).map(GuardBody::bytes)),
    };
    let mut response = inner.call(request).await?;
    cx.spans.begin(|| Part::Respond(ResponseRatelimiting::NAME));
    let Some(usage) = usage else {
        policy.hide_costs(response.headers_mut());
        cx.spans.end();
        return Ok(response.map(GuardBody::inner));
    };
    let (costs, counting) = policy.charge(&usage, response.headers());
    let charged = match counting {
        Some(counting) => Some(done(counting).await),
        None => None,
    };
    let is_within = policy.tell(&usage, &costs, charged, response.headers_mut());
    cx.spans.end();
    if is_within {
        Ok(response.map(GuardBody::inner))
    } else {
        Ok(used_up(std::mem::take(response.headers_mut())).map(GuardBody::bytes))
    }
}

async fn done(counting: Counting) -> Result<Counted, StoreError> {
    match counting {
        Counting::Done(counted) => counted,
        Counting::Later(future) => future.await,
    }
}

fn rendered(reply: Reply, cx: &Context) -> Response<Bytes> {
    match cx.plan() {
        Some(plan) => reply.render(&cx.asker, &cx.request_id, &plan.pages),
        None => reply.render(&cx.asker, &cx.request_id, &Pages::default()),
    }
}

/// What the client gets instead of a response that costs too much: its headers, but nothing of it.
fn used_up(mut headers: HeaderMap) -> Response<Bytes> {
    for name in
        [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::TRANSFER_ENCODING, header::TRAILER, header::ETAG]
    {
        headers.remove(name);
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    *response.headers_mut() = headers;
    response
}

/// What comes of a request's way through a policy.
type Limited<R, E> = Pin<Box<dyn Future<Output = Result<Response<GuardBody<R>>, E>> + Send>>;

pin_project! {
    /// The future of a [`ResponseRateLimitService`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseRateLimitFuture<F, R, E> {
        #[pin]
        state: State<F, R, E>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, R, E> {
        // No policy applies.
        Unlimited { #[pin] future: F },
        // The store is asked, the inner service, and the store again.
        Limited { future: Limited<R, E> },
    }
}

impl<F, R, E> Future for ResponseRateLimitFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<GuardBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Unlimited { future } => {
                Poll::Ready(ready!(future.poll(cx)).map(|response| response.map(GuardBody::inner)))
            }
            StateProjection::Limited { future } => future.as_mut().poll(cx),
        }
    }
}
