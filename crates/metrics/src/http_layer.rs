//! The layer for a service of one's own.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use http::{Request, Response, StatusCode, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    body::{Watch, WatchedBody},
    http_metrics::{Handles, HttpMetrics},
};

/// Tells the route that a request is counted under: its template (`/orders/{id}`), not its path, which
/// clients choose.
pub type RouteOf = fn(&Parts) -> Option<&str>;

/// Counts the requests of a service: the layer. What it counts is on the [crate's page](crate).
#[derive(Debug, Clone, Default)]
pub struct MetricsLayer {
    counting: Counting,
}

#[derive(Clone)]
struct Counting {
    metrics: HttpMetrics,
    route: RouteOf,
}

impl Default for Counting {
    fn default() -> Self {
        Self { metrics: HttpMetrics::default(), route: |_| None }
    }
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counting").field("metrics", &self.metrics).finish_non_exhaustive()
    }
}

impl MetricsLayer {
    /// Counts there. Without [`route`](Self::route) all requests are counted under one, which has no name.
    pub fn new(metrics: HttpMetrics) -> Self {
        Self { counting: Counting { metrics, ..Counting::default() } }
    }

    /// What tells a request's route. A request for which it answers `None` is counted as `route=""`.
    #[must_use]
    pub fn route(mut self, route: RouteOf) -> Self {
        self.counting.route = route;
        self
    }

    /// Where it counts.
    pub fn metrics(&self) -> &HttpMetrics {
        &self.counting.metrics
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = MetricsService<S>;

    fn layer(&self, inner: S) -> MetricsService<S> {
        MetricsService { inner, counting: self.counting.clone() }
    }
}

/// A service whose requests are counted; see [`MetricsLayer`].
#[derive(Debug, Clone)]
pub struct MetricsService<S> {
    inner: S,
    counting: Counting,
}

impl<S, A, B> Service<Request<A>> for MetricsService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    A: Body,
    B: Body,
{
    type Response = Response<WatchedBody<B, InFlight>>;
    type Error = S::Error;
    type Future = MetricsFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let (head, body) = request.into_parts();
        let Counting { metrics, route } = &self.counting;
        let handles = metrics.begin(route(&head).unwrap_or_default(), &head.method);
        let received = body.size_hint().exact().unwrap_or(0);
        let in_flight =
            InFlight { metrics: metrics.clone(), handles, started: Instant::now(), status: None, received, sent: 0 };
        MetricsFuture { future: self.inner.call(Request::from_parts(head, body)), in_flight: Some(in_flight) }
    }
}

/// A request that is being answered; when it is dropped, it is over, and counted.
pub struct InFlight {
    metrics: HttpMetrics,
    handles: Arc<Handles>,
    started: Instant,
    status: Option<StatusCode>,
    received: u64,
    sent: u64,
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").field("started", &self.started).field("status", &self.status).finish_non_exhaustive()
    }
}

impl Watch for InFlight {
    fn passed(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes.try_into().unwrap_or(u64::MAX));
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.end(&self.handles, self.status, self.started.elapsed(), self.received, self.sent);
    }
}

pin_project! {
    /// The future of a [`MetricsService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct MetricsFuture<F> {
        #[pin]
        future: F,
        in_flight: Option<InFlight>,
    }
}

impl<F, B, E> Future for MetricsFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<WatchedBody<B, InFlight>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(task))?;
        let mut in_flight = this.in_flight.take();
        if let Some(in_flight) = &mut in_flight {
            in_flight.status = Some(response.status());
        }
        Poll::Ready(Ok(response.map(|body| WatchedBody::new(body, in_flight))))
    }
}
