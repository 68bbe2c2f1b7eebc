//! What tracing costs a request: of which no spans are sent (the aim: 0.5 µs of CPU), of which they are, and what it
//! costs those of whom nobody wants to know when each guard ran.
//!
//! The inner service answers at once, so that its own cost (the first line of each group) can be taken away.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a bench that cannot go on fails; criterion's macros document nothing"
)]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    hint::black_box,
    pin::pin,
    sync::Arc,
    task::{Context as Task, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Request, Response, request::Parts};
use http_body_util::Full;
use rustix::time::{ClockId, clock_gettime};
use tower_layer::Layer;
use towergate_core::{
    Choice, Client, Context, Env, Guard, GuardLayer, Instrumentations, Level, Memos, Node, Plan, Plugin, Policy, Slot,
    Timing, Verdict, Wrap,
};
use towergate_tracing::{OpenTelemetry, OpenTelemetryConfig, Zipkin, ZipkinConfig};

/// Answers at once.
#[derive(Clone)]
struct Inner;

impl<B> tower_service::Service<Request<B>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Response::new(Full::new(Bytes::from_static(b"ok")))))
    }
}

/// A guard that does nothing.
struct Nothing;

impl Guard for Nothing {
    fn check(&self, _: &Context, _: &mut Parts) -> Verdict {
        Verdict::Pass
    }
}

/// The lines of a trace that goes on, in W3C's format and in B3's.
const TRACEPARENT: &[(&str, &str)] = &[("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
const B3: &[(&str, &str)] =
    &[("x-b3-traceid", "0af7651916cd43dd8448eb211c80319c"), ("x-b3-spanid", "b7ad6b7169203331"), ("x-b3-sampled", "0")];

/// For how many lines the gateway's own server leaves room beside those that came.
const ADDED: usize = 3;

/// A request as clients send them, on this plan.
fn request(plan: &Arc<Plan>, trace: &'static [(&'static str, &'static str)]) -> Request<Full<Bytes>> {
    let mut request = Request::get("/api/v1/users/42?verbose=1").body(Full::default()).expect("a request");
    let usual = [
        ("host", "api.example.com"),
        ("user-agent", "curl/8.5.0"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, br"),
        ("x-api-key", "0123456789abcdef"),
        ("authorization", "Bearer abcdefghijklmnopqrstuvwxyz"),
    ];
    *request.headers_mut() = HeaderMap::with_capacity(usual.len() + trace.len() + ADDED);
    for (name, value) in usual.into_iter().chain(trace.iter().copied()) {
        request.headers_mut().insert(name, value.parse().expect("a value"));
    }
    let (mut head, body) = request.into_parts();
    let cx = Context::new(Client::default(), &head, Timing::start(), Some(plan.clone()));
    head.extensions.insert(Arc::new(cx));
    Request::from_parts(head, body)
}

/// A gateway whose settings trace everything.
fn env() -> Env {
    let env = Env::default();
    env.shared.introduce(Node { tracing: Instrumentations::all(), ..Node::default() });
    env
}

fn wrapped<P: Plugin>(policy: P) -> Plan {
    let policy: Arc<Policy> = Arc::new(policy);
    let choice = Choice::new(P::NAME, vec![Level::Everybody(policy)]);
    Plan { wraps: vec![Some(choice)], memos: Memos::new(1), records_spans: true, ..Plan::default() }
}

/// With so many guards that do nothing.
fn guarded(plan: Plan, guards: usize) -> Arc<Plan> {
    let guard = || {
        let guard: Arc<dyn Guard> = Arc::new(Nothing);
        Choice::new("nothing", vec![Level::Everybody(guard)])
    };
    Arc::new(Plan { guards: (0..guards).map(|_| guard()).collect(), ..plan })
}

fn opentelemetry(rate: f64) -> Plan {
    let config = OpenTelemetryConfig {
        traces_endpoint: Some("http://127.0.0.1:4318/v1/traces".into()),
        sampling_rate: Some(rate),
        ..OpenTelemetryConfig::default()
    };
    wrapped(OpenTelemetry::new(config, &env()).expect("a policy"))
}

fn zipkin(ratio: f64) -> Plan {
    let config = ZipkinConfig {
        http_endpoint: Some("http://127.0.0.1:9411/api/v2/spans".into()),
        sample_ratio: Some(ratio),
        ..ZipkinConfig::default()
    };
    wrapped(Zipkin::new(config, &env()).expect("a policy"))
}

/// The processor time this thread has had: others may be busy, too.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Times so many calls of a service, without making the requests.
fn times<S, B>(service: &mut S, request: impl Fn() -> Request<Full<Bytes>>, count: u64) -> Duration
where
    S: tower_service::Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
{
    const BATCH: u64 = 64;
    let mut task = Task::from_waker(Waker::noop());
    let (mut took, mut left) = (Duration::ZERO, count);
    while left > 0 {
        let batch = left.min(BATCH);
        left -= batch;
        let requests: Vec<_> = (0..batch).map(|_| request()).collect();
        let begin = cpu_time();
        for request in requests {
            let answer = pin!(service.call(request)).poll(&mut task);
            let Poll::Ready(Ok(response)) = answer else { continue };
            drop(black_box(response));
        }
        took += cpu_time().saturating_sub(begin);
    }
    took
}

fn plugins(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tracing");
    let none = guarded(Plan { wraps: vec![None], memos: Memos::new(1), ..Plan::default() }, 0);
    let mut service = OpenTelemetry::layer(Slot::in_plan(0)).layer(Inner);
    group.bench_function("without", |bencher| {
        bencher.iter_custom(|count| times(&mut service, || request(&none, &[]), count))
    });
    for (name, rate, trace) in [
        ("opentelemetry_unsampled", 0.0, &[][..]),
        ("opentelemetry_unsampled_with_a_trace", 0.0, TRACEPARENT),
        ("opentelemetry_sampled", 1.0, &[]),
    ] {
        let plan = guarded(opentelemetry(rate), 0);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| times(&mut service, || request(&plan, trace), count))
        });
    }
    let mut service = Zipkin::layer(Slot::in_plan(0)).layer(Inner);
    for (name, ratio, trace) in
        [("zipkin_unsampled", 0.0, &[][..]), ("zipkin_unsampled_with_a_trace", 0.0, B3), ("zipkin_sampled", 1.0, &[])]
    {
        let plan = guarded(zipkin(ratio), 0);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| times(&mut service, || request(&plan, trace), count))
        });
    }
    group.finish();
}

/// Ten guards that do nothing: what noting when they ran costs, and what it costs not to.
fn guards(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ten_guards");
    let plan = guarded(Plan::default(), 10);
    let mut service = GuardLayer::from_plan().layer(Inner);
    let asked = || {
        let request = request(&plan, &[]);
        request.extensions().get::<Arc<Context>>().expect("a context").spans.ask();
        request
    };
    group.bench_function("nobody_asks", |bencher| {
        bencher.iter_custom(|count| times(&mut service, || request(&plan, &[]), count))
    });
    group.bench_function("somebody_asks", |bencher| bencher.iter_custom(|count| times(&mut service, asked, count)));
    group.finish();
}

criterion_group!(benches, plugins, guards);
criterion_main!(benches);
