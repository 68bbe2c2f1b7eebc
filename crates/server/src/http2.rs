//! HTTP/2 connections: frames by the `h2` crate through hyper, limits on what it leaves open by us.
//!
//! | what a client may do to us | what ends it | by |
//! | --- | --- | --- |
//! | open streams without end | `max_concurrent_streams`: the next is refused | h2 |
//! | take requests back before we see them (rapid reset) | `max_pending_resets` | h2 |
//! | take requests back while they are served | `max_resets` | [`serve`] |
//! | make us reset streams | `max_stream_errors` | h2 |
//! | header blocks without end (CONTINUATION, HPACK bombs) | `max_header_list`: 431; GOAWAY beyond four times that much | h2 |
//! | empty or tiny DATA frames | 100 empty ones; a budget for tiny ones | h2 |
//! | PING, SETTINGS, PRIORITY, WINDOW_UPDATE, … | `max_control_frames` | [`Guard`] |
//! | never open a window | `Timeouts::send`, per stream | [`Streams`] |
//! | never read | `Timeouts::send`, per connection | [`Activity`] |
//! | begin a head and never end it, send nothing | `Timeouts::header`, `Timeouts::keep_alive` | [`Activity`] |
//!
//! All but the first and the last three end the connection with `GOAWAY` and `ENHANCE_YOUR_CALM`.

mod allowance;
mod farewell;
mod frames;
mod guard;
mod portions;
mod preface;
mod streams;
mod upload;

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http2::Builder};
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;

pub(crate) use portions::Portions;
pub(crate) use preface::Spoken;

use self::{farewell::part, guard::Guard, streams::Streams, upload::Upload};
use crate::{
    activity::Activity,
    answer::{Answer, ResponseBody},
    config::{Http2, ServerConfig},
    connection::Connection,
    stream::Stream,
    worker::Stack,
};

/// How much of a response may wait for the client, beside the portion at hand.
const SEND_BUFFER: usize = 64 << 10;

/// In how long a time a client may take back as many requests as it may.
const RESETS_WINDOW: Duration = Duration::from_secs(10);

/// How many requests may come after the last that a connection was meant to have: those that were on
/// their way when the client was told.
const LATE_REQUESTS: u64 = 1000;

/// Serves an HTTP/2 connection to its end. Boxed: the connection of an HTTP/1 client, whose task is
/// the same, does not carry its size.
pub(crate) fn serve<S: Stack>(
    stream: Stream,
    connection: Connection<S>,
    activity: Arc<Activity>,
    config: &ServerConfig,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    activity.multiplex();
    let streams = Streams::new(activity.clone(), config.timeouts.send);
    let builder = builder(config, streams);
    let guard = Guard::new(stream, activity.clone(), config.limits.http2.max_control_frames);
    let behaviour = Behaviour::new(activity, config);
    Box::pin(run(builder, guard, Service(connection), behaviour))
}

async fn run<S: Stack>(builder: Builder<Streams>, mut guard: Guard, service: Service<S>, mut behaviour: Behaviour) {
    let is_calm = {
        let mut http = pin!(builder.serve_connection(TokioIo::new(&mut guard), service));
        let mut is_told = false;
        poll_fn(|cx| {
            behaviour.activity.waken_by(cx.waker());
            if behaviour.activity.is_retiring() && !std::mem::replace(&mut is_told, true) {
                http.as_mut().graceful_shutdown();
            }
            // What went wrong on a connection is its client's affair.
            let is_over = http.as_mut().poll(cx).is_ready();
            let is_calm = behaviour.is_calm();
            if is_over || !is_calm { Poll::Ready(is_calm) } else { Poll::Pending }
        })
        .await
    };
    part(&mut guard, is_calm).await;
}

/// hyper's settings for one connection.
fn builder(config: &ServerConfig, streams: Streams) -> Builder<Streams> {
    /// The largest window there is (RFC 9113 section 6.9.1).
    const LARGEST: u32 = u32::MAX >> 1;
    let Http2 { stream_window, connection_window, .. } = config.limits.http2;
    let limits = &config.limits.http2;
    let mut builder = Builder::new(streams);
    builder
        .max_concurrent_streams(limits.max_concurrent_streams)
        .max_pending_accept_reset_streams(limits.max_pending_resets)
        .max_local_error_reset_streams(limits.max_stream_errors)
        .max_header_list_size(limits.max_header_list)
        .initial_stream_window_size(stream_window.min(LARGEST))
        .initial_connection_window_size(connection_window.min(LARGEST))
        .max_send_buf_size(SEND_BUFFER);
    // WebSockets (RFC 8441).
    builder.enable_connect_protocol();
    if let Some(interval) = limits.ping_interval {
        builder.timer(TokioTimer::new()).keep_alive_interval(interval).keep_alive_timeout(config.timeouts.send);
    }
    builder
}

/// What a client does with its requests.
struct Behaviour {
    activity: Arc<Activity>,
    max_requests: u64,
    max_resets: u32,
    /// Since when what the client takes back is counted.
    since: Instant,
}

impl Behaviour {
    fn new(activity: Arc<Activity>, config: &ServerConfig) -> Self {
        let max_requests = config.limits.keep_alive_requests.saturating_add(LATE_REQUESTS);
        Self { activity, max_requests, max_resets: config.limits.http2.max_resets, since: Instant::now() }
    }

    /// Whether the client keeps to what it may do.
    fn is_calm(&mut self) -> bool {
        if self.activity.taken_back() > self.max_resets {
            let now = Instant::now();
            if now.saturating_duration_since(self.since) < RESETS_WINDOW {
                return false;
            }
            self.since = now;
            self.activity.forgive();
        }
        self.activity.requests() <= self.max_requests
    }
}

pin_project! {
    /// The future of a response, as hyper wants it.
    struct Certain<F> {
        #[pin]
        answer: F,
    }
}

impl<F: Future> Future for Certain<F> {
    type Output = Result<F::Output, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().answer.poll(cx).map(Ok)
    }
}

/// hyper's service of an HTTP/2 connection.
struct Service<S>(Connection<S>);

impl<S: Stack> hyper::service::Service<Request<Incoming>> for Service<S> {
    type Response = Response<ResponseBody<S::Body>>;
    type Error = Infallible;
    type Future = Certain<Answer<S, S::Future>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        Certain { answer: self.0.answer_http2(request.map(Upload)) }
    }
}
