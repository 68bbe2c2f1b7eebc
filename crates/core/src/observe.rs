//! The end of a request, and those who are told about it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Buf;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version, request::Parts};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::context::Context;

/// What nginx calls a request whose client did not wait for the answer.
const CLIENT_CLOSED: u16 = 499;

/// Who is told of each request when it is over: Kong's log phase.
///
/// Told whatever became of the request: refusals, the unmatched route's 404, and clients that went away
/// are told as well. On the worker's thread, between two requests: whoever has much to do with what it
/// is told puts it into a queue.
pub trait Observe: Send + Sync + 'static {
    /// The request is over.
    fn observe(&self, cx: &Context, ended: &Ended);
}

impl<O: Observe + ?Sized> Observe for Arc<O> {
    fn observe(&self, cx: &Context, ended: &Ended) {
        (**self).observe(cx, ended);
    }
}

/// A request that is over: what its [`Context`] does not say.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its method.
    pub method: Method,
    /// Its target as it came.
    pub uri: Uri,
    /// The version of HTTP it came in.
    pub version: Version,
    /// The status of the response; 499 if the client went away before there was one.
    pub status: u16,
    /// The bytes of the request, head and body.
    pub received: u64,
    /// The bytes of the response, head and body.
    pub sent: u64,
    /// The bytes of the response's body.
    pub body_sent: u64,
    /// What followed the response's body: the status of a gRPC call, say.
    pub trailers: Option<Box<HeaderMap>>,
    /// How long all of it took.
    pub took: Duration,
    /// How long it took to pass the response on, once its head was there.
    pub receiving: Duration,
}

/// Who is told of a request.
pub trait Observers: Clone + Send + Sync + 'static {
    /// Whether anybody may be.
    fn is_any(&self, cx: &Context) -> bool;
    /// Tells all of them.
    fn tell(&self, cx: &Context, ended: &Ended);
    /// Whether there is no gateway around that keeps [`Records`](crate::Records) and counts
    /// [`Traffic`](crate::Traffic).
    fn is_embedded(&self) -> bool {
        false
    }
}

/// One observer for every request.
#[derive(Debug)]
pub struct Each<O> {
    observer: Arc<O>,
    is_embedded: bool,
}

impl<O> Clone for Each<O> {
    fn clone(&self) -> Self {
        Self { observer: self.observer.clone(), is_embedded: self.is_embedded }
    }
}

impl<O: Observe> Observers for Each<O> {
    fn is_any(&self, _: &Context) -> bool {
        true
    }

    fn tell(&self, cx: &Context, ended: &Ended) {
        self.observer.observe(cx, ended);
    }

    fn is_embedded(&self) -> bool {
        self.is_embedded
    }
}

/// The observers of the request's plan, in the order of PRIORITY.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfPlan;

impl Observers for OfPlan {
    fn is_any(&self, cx: &Context) -> bool {
        cx.plan().is_some_and(|plan| !plan.plugins.observers.is_empty())
    }

    fn tell(&self, cx: &Context, ended: &Ended) {
        let choices = cx.plan().map(|plan| plan.plugins.observers.as_slice()).unwrap_or_default();
        for observer in choices.iter().filter_map(|choice| choice.pick(cx.consumer())) {
            observer.observe(cx, ended);
        }
    }
}

/// Tells observers of each request when it is over.
#[derive(Debug, Clone)]
pub struct ObserveLayer<O> {
    observers: O,
}

impl<O: Observe> ObserveLayer<Each<O>> {
    /// Tells this one of every request, in a service of one's own. What a gateway's server would know
    /// (the bytes of the response's head, what it adds to it) is estimated.
    pub fn new(observer: O) -> Self {
        Self { observers: Each { observer: Arc::new(observer), is_embedded: true } }
    }

    /// Tells this one of every request of a gateway, whatever its plan.
    pub fn in_gateway(observer: Arc<O>) -> Self {
        Self { observers: Each { observer, is_embedded: false } }
    }
}

impl ObserveLayer<OfPlan> {
    /// Tells the observers of each request's plan.
    pub fn from_plan() -> Self {
        Self { observers: OfPlan }
    }
}

impl<S, O: Clone> Layer<S> for ObserveLayer<O> {
    type Service = ObserveService<S, O>;

    fn layer(&self, inner: S) -> Self::Service {
        ObserveService { inner, observers: self.observers.clone() }
    }
}

/// The service of an [`ObserveLayer`].
#[derive(Debug, Clone)]
pub struct ObserveService<S, O> {
    inner: S,
    observers: O,
}

impl<S, O, A, B> Service<Request<A>> for ObserveService<S, O>
where
    S: Service<Request<A>, Response = Response<B>>,
    O: Observers,
    A: Body,
    B: Body,
{
    type Response = Response<ObservedBody<B, O>>;
    type Error = S::Error;
    type Future = ObserveFuture<S::Future, O>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        // Without a context there is none to ask either: an embedded observer makes one.
        let known = request.extensions().get::<Arc<Context>>();
        if known.is_some_and(|cx| !self.observers.is_any(cx)) {
            return ObserveFuture { future: self.inner.call(request), observed: None };
        }
        let (mut head, body) = request.into_parts();
        let cx = Context::of(&mut head);
        let observed = self.observers.is_any(&cx).then(|| {
            cx.traffic.ask();
            cx.records.ask();
            if self.observers.is_embedded() {
                cx.records.keep_request(&head.headers);
            }
            Box::new(Observed::begin(cx, self.observers.clone(), &head, body.size_hint().exact().unwrap_or(0)))
        });
        ObserveFuture { future: self.inner.call(Request::from_parts(head, body)), observed }
    }
}

/// A request that is under way; when it is dropped, it is over, and told.
#[derive(Debug)]
struct Observed<O: Observers> {
    cx: Arc<Context>,
    observers: O,
    ended: Ended,
    /// The bytes of the request's body, if they were known before it came.
    body: u64,
    answered: Option<Instant>,
}

impl<O: Observers> Observed<O> {
    fn begin(cx: Arc<Context>, observers: O, head: &Parts, body: u64) -> Self {
        let ended = Ended {
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            status: CLIENT_CLOSED,
            received: head_length(head),
            sent: 0,
            body_sent: 0,
            trailers: None,
            took: Duration::ZERO,
            receiving: Duration::ZERO,
        };
        Self { cx, observers, ended, body, answered: None }
    }

    /// The head of the response is there.
    fn answered<B>(&mut self, response: &Response<B>) {
        self.ended.status = response.status().as_u16();
        self.answered = Some(Instant::now());
        if self.observers.is_embedded() {
            self.cx.records.keep_response(response.status(), response.headers());
        }
    }
}

impl<O: Observers> Drop for Observed<O> {
    fn drop(&mut self) {
        let (cx, ended) = (&*self.cx, &mut self.ended);
        let now = Instant::now();
        ended.took = now.saturating_duration_since(cx.timing.started());
        ended.receiving = self.answered.map_or(Duration::ZERO, |answered| now.saturating_duration_since(answered));
        ended.received = ended.received.saturating_add(cx.traffic.received().unwrap_or(self.body));
        if !self.observers.is_embedded() {
            ended.sent = cx.traffic.sent();
            ended.body_sent = cx.traffic.body_sent();
        } else if let Some((status, headers)) = cx.records.response() {
            ended.sent = ended.body_sent.saturating_add(response_length(status, headers));
        }
        if let Some((status, _)) = cx.records.response() {
            ended.status = status.as_u16();
        }
        self.observers.tell(cx, ended);
    }
}

/// How long a request's head is as HTTP/1.1 writes it.
fn head_length(head: &Parts) -> u64 {
    let target = head.uri.path_and_query().map_or(1, |target| target.as_str().len());
    // A space, a space, "HTTP/1.1", the end of the line, an empty line.
    let line = head.method.as_str().len().saturating_add(target).saturating_add(14);
    bytes(line).saturating_add(lines(&head.headers))
}

/// How long a response's head is as HTTP/1.1 writes it.
fn response_length(status: StatusCode, headers: &HeaderMap) -> u64 {
    // "HTTP/1.1", a space, the status, a space, the end of the line, an empty line.
    bytes(status.canonical_reason().map_or(0, str::len).saturating_add(17)).saturating_add(lines(headers))
}

fn lines(headers: &HeaderMap) -> u64 {
    let lines = headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()).saturating_add(4));
    bytes(lines.fold(0, usize::saturating_add))
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

pin_project! {
    /// The future of an [`ObserveService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ObserveFuture<F, O: Observers> {
        // Before what is told: the inner service ends first.
        #[pin]
        future: F,
        observed: Option<Box<Observed<O>>>,
    }
}

impl<F, B, E, O> Future for ObserveFuture<F, O>
where
    F: Future<Output = Result<Response<B>, E>>,
    O: Observers,
{
    type Output = Result<Response<ObservedBody<B, O>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(task))?;
        let mut observed = this.observed.take();
        if let Some(observed) = &mut observed {
            observed.answered(&response);
        }
        Poll::Ready(Ok(response.map(|body| ObservedBody { body, observed })))
    }
}

pin_project! {
    /// A response's body by whose end one sees that the request is over.
    #[derive(Debug)]
    pub struct ObservedBody<B, O: Observers> {
        #[pin]
        body: B,
        observed: Option<Box<Observed<O>>>,
    }
}

impl<B: Body, O: Observers> Body for ObservedBody<B, O> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(task));
        if let (Some(observed), Some(Ok(frame))) = (this.observed, &frame) {
            if let Some(trailers) = frame.trailers_ref() {
                observed.ended.trailers = Some(Box::new(trailers.clone()));
            } else if observed.observers.is_embedded() {
                let length = bytes(frame.data_ref().map_or(0, Buf::remaining));
                observed.ended.body_sent = observed.ended.body_sent.saturating_add(length);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
