//! A layer that sees each request begin, be answered, and end.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use http::{Extensions, Request, Response, request, response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// What is done about each request.
pub trait Tracer: Clone + Send + Sync + 'static {
    /// A traced request that is under way; when it is dropped, it is over.
    type Live: Live;

    /// Whether it may have anything to do with a request that has these extensions. One that it has not, costs
    /// nothing more.
    fn concerns(&self, _extensions: &Extensions) -> bool {
        true
    }

    /// A request begins. May change its headers. `None` leaves it alone.
    fn begin(&self, head: &mut request::Parts) -> Option<Self::Live>;
}

/// A traced request that is under way.
pub trait Live: Send + 'static {
    /// The head of the response is there. May change its headers.
    fn answered(&mut self, head: &mut response::Parts);

    /// Runs a step of serving it.
    fn during<T>(&self, step: impl FnOnce() -> T) -> T {
        step()
    }
}

/// Traces the requests of a service.
#[derive(Debug, Clone)]
pub struct TracedLayer<T> {
    tracer: T,
}

impl<T> TracedLayer<T> {
    /// In the way of this tracer.
    pub fn new(tracer: T) -> Self {
        Self { tracer }
    }
}

impl<S, T: Clone> Layer<S> for TracedLayer<T> {
    type Service = TracedService<S, T>;

    fn layer(&self, inner: S) -> TracedService<S, T> {
        TracedService::new(inner, self.tracer.clone())
    }
}

/// A service whose requests are traced.
#[derive(Debug, Clone)]
pub struct TracedService<S, T> {
    inner: S,
    tracer: T,
}

impl<S, T> TracedService<S, T> {
    pub(crate) fn new(inner: S, tracer: T) -> Self {
        Self { inner, tracer }
    }
}

impl<S, T, A, B> Service<Request<A>> for TracedService<S, T>
where
    S: Service<Request<A>, Response = Response<B>>,
    T: Tracer,
    B: Body,
{
    type Response = Response<TracedBody<B, T::Live>>;
    type Error = S::Error;
    type Future = TracedFuture<S::Future, T::Live>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        if !self.tracer.concerns(request.extensions()) {
            return TracedFuture { future: self.inner.call(request), live: None };
        }
        let (mut head, body) = request.into_parts();
        // On the way every request takes, its place in a future is a pointer.
        let live = self.tracer.begin(&mut head).map(Box::new);
        TracedFuture { future: self.inner.call(Request::from_parts(head, body)), live }
    }
}

pin_project! {
    /// The future of a [`TracedService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct TracedFuture<F, L> {
        // Before what is told: the inner service ends first.
        #[pin]
        future: F,
        live: Option<Box<L>>,
    }
}

impl<F, B, E, L> Future for TracedFuture<F, L>
where
    F: Future<Output = Result<Response<B>, E>>,
    L: Live,
{
    type Output = Result<Response<TracedBody<B, L>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match this.live {
            Some(live) => ready!(live.during(|| this.future.poll(task)))?,
            None => ready!(this.future.poll(task))?,
        };
        let Some(mut live) = this.live.take() else {
            return Poll::Ready(Ok(response.map(|body| TracedBody { body, live: None })));
        };
        let (mut head, body) = response.into_parts();
        live.answered(&mut head);
        Poll::Ready(Ok(Response::from_parts(head, TracedBody { body, live: Some(live) })))
    }
}

pin_project! {
    /// A response's body by whose end one sees that the request is over.
    #[derive(Debug)]
    pub struct TracedBody<B, L> {
        #[pin]
        body: B,
        live: Option<Box<L>>,
    }
}

impl<B: Body, L: Live> Body for TracedBody<B, L> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        match this.live {
            Some(live) => live.during(|| this.body.poll_frame(task)),
            None => this.body.poll_frame(task),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
