//! The plugin's layer: sees each request begin and end.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
    time::Duration,
};

use http::{Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;
use towergate_core::{Context, Slot};

use crate::{
    body::{Watch, WatchedBody},
    plugin_times::PluginTimes,
    policy::{Over, Prometheus},
    route::Latencies,
};

/// What nginx calls a request whose client did not wait for the answer.
const CLIENT_CLOSED: u16 = 499;

/// The layer of the plugin `prometheus`. It counts by the route of the request's plan, which is the
/// gateway's; for a service of one's own there is [`MetricsLayer`](crate::MetricsLayer).
#[derive(Debug, Clone)]
pub struct PrometheusLayer {
    slot: Slot<Prometheus>,
    times: Arc<PluginTimes>,
}

impl PrometheusLayer {
    /// With the policies found there.
    pub fn new(slot: Slot<Prometheus>) -> Self {
        Self { slot, times: Arc::default() }
    }
}

impl<S> Layer<S> for PrometheusLayer {
    type Service = PrometheusService<S>;

    fn layer(&self, inner: S) -> PrometheusService<S> {
        PrometheusService { inner, slot: self.slot.clone(), times: self.times.clone() }
    }
}

/// A service whose requests are counted; see [`PrometheusLayer`].
#[derive(Debug, Clone)]
pub struct PrometheusService<S> {
    inner: S,
    slot: Slot<Prometheus>,
    times: Arc<PluginTimes>,
}

impl<S, A, B> Service<Request<A>> for PrometheusService<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    A: Body,
    B: Body,
{
    type Response = Response<WatchedBody<B, Watched>>;
    type Error = S::Error;
    type Future = PrometheusFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        // The gateway has made a context. Without one there is no plan to count by either.
        let cx = request.extensions().get::<Arc<Context>>().filter(|cx| self.slot.may_apply(cx)).cloned();
        let watched = cx.map(|cx| {
            cx.traffic.ask();
            let (head, body) = (head_length(&request), request.body().size_hint().exact().unwrap_or(0));
            let times = self.times.begin(&cx).then(|| self.times.clone());
            Watched { cx, slot: self.slot.clone(), times, status: CLIENT_CLOSED, head, body, waited: None }
        });
        PrometheusFuture { future: self.inner.call(request), watched }
    }
}

/// How long a request's head is as HTTP/1.1 writes it.
fn head_length<B>(request: &Request<B>) -> u64 {
    let target = request.uri().path_and_query().map_or(1, |target| target.as_str().len());
    // A space, a space, "HTTP/1.1", the end of the line, an empty line.
    let line = request.method().as_str().len().saturating_add(target).saturating_add(14);
    let lines =
        request.headers().iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()).saturating_add(4));
    lines.fold(line, usize::saturating_add).try_into().unwrap_or(u64::MAX)
}

/// A request that is under way; when it is dropped, it is over, and counted.
#[derive(Debug)]
pub struct Watched {
    cx: Arc<Context>,
    slot: Slot<Prometheus>,
    /// Where it counts how long plugins took, if they were timed.
    times: Option<Arc<PluginTimes>>,
    status: u16,
    /// Bytes of the request's head.
    head: u64,
    /// Bytes of its body, if they were known then.
    body: u64,
    /// How long an upstream that never answered was waited for.
    waited: Option<Duration>,
}

impl Watched {
    /// The head of the response is there.
    fn answered(&mut self, status: StatusCode) {
        self.status = status.as_u16();
        if self.cx.timing.upstream_latency().is_none() {
            let here = self.cx.timing.proxy_latency();
            self.waited = here.map(|here| self.cx.timing.started().elapsed().saturating_sub(here));
        }
    }
}

impl Watch for Watched {
    /// The server counts, which knows better: with its own headers, and after compression.
    fn passed(&mut self, _: usize) {}
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(policy) = self.slot.policy(&self.cx) else { return };
        let request = self.cx.timing.started().elapsed();
        let upstream = self.cx.timing.upstream_latency().or(self.waited);
        let received = self.head.saturating_add(self.cx.traffic.received().unwrap_or(self.body));
        let over = Over { status: self.status, received, latencies: Latencies { request, upstream } };
        policy.count(&self.slot, &self.cx, &over);
        if let Some(times) = self.times.take().filter(|_| policy.latencies) {
            times.count(&self.cx, policy.registry());
        }
    }
}

pin_project! {
    /// The future of a [`PrometheusService`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct PrometheusFuture<F> {
        #[pin]
        future: F,
        watched: Option<Watched>,
    }
}

impl<F, B, E> Future for PrometheusFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<WatchedBody<B, Watched>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.future.poll(task))?;
        let mut watched = this.watched.take();
        if let Some(watched) = &mut watched {
            watched.answered(response.status());
        }
        Poll::Ready(Ok(response.map(|body| WatchedBody::new(body, watched))))
    }
}
