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
    sync::Arc,
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{Request, Response, request::Parts};
use http_body_util::Full;
use tower_layer::Layer;
use towergate_benches::times;
use towergate_core::{
    Choice, Client, Context, Env, Guard, GuardLayer, Instrumentations, Level, Node, Plan, Plugin, Plugins, Policy,
    Slot, Verdict, Wrap,
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

/// A request as clients send them, on this plan.
fn request(plan: &Arc<Plan>, trace: &[(&'static str, &'static str)]) -> Request<Full<Bytes>> {
    towergate_benches::request(Client::default(), Some(plan), trace, |_| ())
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
    Plugins { wraps: vec![Some(choice)], records_spans: true, ..Plugins::default() }.into()
}

/// With so many guards that do nothing.
fn guarded(mut plan: Plan, guards: usize) -> Arc<Plan> {
    let guard = || {
        let guard: Arc<dyn Guard> = Arc::new(Nothing);
        Choice::new("nothing", vec![Level::Everybody(guard)])
    };
    Arc::make_mut(&mut plan.plugins).guards = (0..guards).map(|_| guard()).collect();
    Arc::new(plan)
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

fn plugins(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tracing");
    let none = guarded(Plugins { wraps: vec![None], ..Plugins::default() }.into(), 0);
    let mut service = OpenTelemetry::layer(Slot::in_plan(0)).layer(Inner);
    group.bench_function("without", |bencher| {
        bencher.iter_custom(|count| times(&mut service, count, || request(&none, &[]), || ()))
    });
    for (name, rate, trace) in [
        ("opentelemetry_unsampled", 0.0, &[][..]),
        ("opentelemetry_unsampled_with_a_trace", 0.0, TRACEPARENT),
        ("opentelemetry_sampled", 1.0, &[]),
    ] {
        let plan = guarded(opentelemetry(rate), 0);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| times(&mut service, count, || request(&plan, trace), || ()))
        });
    }
    let mut service = Zipkin::layer(Slot::in_plan(0)).layer(Inner);
    for (name, ratio, trace) in
        [("zipkin_unsampled", 0.0, &[][..]), ("zipkin_unsampled_with_a_trace", 0.0, B3), ("zipkin_sampled", 1.0, &[])]
    {
        let plan = guarded(zipkin(ratio), 0);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| times(&mut service, count, || request(&plan, trace), || ()))
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
        bencher.iter_custom(|count| times(&mut service, count, || request(&plan, &[]), || ()))
    });
    group.bench_function("somebody_asks", |bencher| {
        bencher.iter_custom(|count| times(&mut service, count, asked, || ()))
    });
    group.finish();
}

criterion_group!(benches, plugins, guards);
criterion_main!(benches);
