//! What counting a request costs: the plugin with everything on, and the layer for services of one's own.
//!
//! The inner service answers at once, so that its own cost (the first line of each group) can be taken
//! away. The aim: all metrics cost at most 1 µs of CPU per request.
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
    time::Duration,
};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderValue, Request, Response, request::Parts, response};
use http_body_util::Full;
use tower_layer::Layer;
use towergate_benches::{routed, times};
use towergate_core::{
    Choice, Client, Context, Env, Guard, GuardLayer, Level, Plan, Plugin, Plugins, Policy, Route, Slot, Trace,
    TraceFormats, Verdict, Wrap,
};
use towergate_metrics::{HttpMetrics, MetricsLayer, Prometheus, PrometheusConfig, Registry};

/// Answers as a proxy would: the upstream took a millisecond.
#[derive(Clone)]
struct Inner;

impl<B> tower_service::Service<Request<B>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Some(cx) = request.extensions().get::<Arc<Context>>() {
            cx.mark_proxied();
            cx.timing.mark_sent(cx.timing.started());
            cx.timing.mark_answered(cx.timing.started() + Duration::from_millis(1));
            if cx.traffic.is_asked() {
                cx.traffic.add_sent(300);
                cx.traffic.add_sent(128);
            }
        }
        ready(Ok(Response::new(Full::new(Bytes::from_static(b"ok")))))
    }
}

/// A guard that lets everybody pass, and adds a header to the response.
struct Passing;

impl Guard for Passing {
    fn check(&self, _: &Context, _: &mut Parts) -> Verdict {
        Verdict::Pass
    }

    fn respond(&self, _: &Context, head: &mut response::Parts) {
        head.headers.insert("x-guard", HeaderValue::from_static("passed"));
    }
}

/// A request as clients send them, on this plan, of a trace that is recorded or of none.
fn request(plan: Option<&Arc<Plan>>, is_traced: bool) -> Request<Full<Bytes>> {
    towergate_benches::request(Client::default(), plan, &[], |cx| {
        if is_traced {
            cx.record_trace(Trace { id: 1, span_id: 2, is_sampled: true, formats: TraceFormats::default() });
        }
    })
}

/// A plan with the plugin, everything on, if it is to be there, and six guards.
fn guarded(env: &Env, is_counted: bool) -> Arc<Plan> {
    let guards = ["cors", "key-auth", "acl", "rate-limiting", "correlation-id", "redirect"]
        .map(|name| Choice::new(name, vec![Level::Everybody(Arc::new(Passing) as Arc<dyn Guard>)]));
    let mut plan = Plan::clone(&plan(env, is_counted));
    Arc::make_mut(&mut plan.plugins).guards = guards.into();
    Arc::new(plan)
}

/// A plan with the plugin, everything on, if it is to be there.
fn plan(env: &Env, is_counted: bool) -> Arc<Plan> {
    let config = PrometheusConfig {
        per_consumer: Some(true),
        status_code_metrics: Some(true),
        latency_metrics: Some(true),
        bandwidth_metrics: Some(true),
        ..PrometheusConfig::default()
    };
    let policy: Arc<Policy> = Arc::new(Prometheus::new(config, env).expect("a policy"));
    let choice = Choice::new("prometheus", vec![Level::Everybody(policy)]);
    Arc::new(routed(Plugins { wraps: vec![is_counted.then_some(choice)], ..Plugins::default() }.into()))
}

/// Times so many calls of a service.
fn took<S, B>(service: &mut S, plan: Option<&Arc<Plan>>, is_traced: bool, count: u64) -> Duration
where
    S: tower_service::Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
{
    times(service, count, || request(plan, is_traced), || ())
}

fn plugin(criterion: &mut Criterion) {
    let env = Env::default();
    let mut group = criterion.benchmark_group("plugin");
    for (name, is_counted) in [("without", false), ("everything_on", true)] {
        let plan = plan(&env, is_counted);
        let mut service = Prometheus::layer(Slot::in_plan(0)).layer(Inner);
        group
            .bench_function(name, |bencher| bencher.iter_custom(|count| took(&mut service, Some(&plan), false, count)));
    }
    group.finish();
    assert!(env.shared.of::<Registry>().room().used > 0, "it was counted");
}

/// With the guards of a route, whose time is taken of one request in sixteen, and with exemplars.
fn among_guards(criterion: &mut Criterion) {
    let env = Env::default();
    let mut group = criterion.benchmark_group("among_six_guards");
    for (name, is_counted, is_traced) in [
        ("without", false, false),
        ("everything_on", true, false),
        ("traced_without", false, true),
        ("traced_everything_on", true, true),
    ] {
        let plan = guarded(&env, is_counted);
        let mut service = Prometheus::layer(Slot::in_plan(0)).layer(GuardLayer::from_plan().layer(Inner));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| took(&mut service, Some(&plan), is_traced, count));
        });
    }
    group.finish();
}

fn layer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("layer");
    let mut plain = Inner;
    group.bench_function("without", |bencher| bencher.iter_custom(|count| took(&mut plain, None, false, count)));
    let metrics = HttpMetrics::new();
    let mut service = MetricsLayer::new(metrics).route(|_| Some("/users/{id}")).layer(Inner);
    group.bench_function("with", |bencher| bencher.iter_custom(|count| took(&mut service, None, false, count)));
    group.finish();
}

/// Not on a request's way, but it should not take long either.
fn page(criterion: &mut Criterion) {
    let env = Env::default();
    for number in 0..1_000_u128 {
        let plan = plan(&env, true);
        let plan = Plan {
            route: plan.route.as_ref().map(|route| Route { name: Some(format!("r{number}")), ..route.clone() }),
            ..Plan::clone(&plan)
        };
        took(&mut Prometheus::layer(Slot::in_plan(0)).layer(Inner), Some(&Arc::new(plan)), false, 1);
    }
    let registry = env.shared.of::<Registry>();
    criterion.bench_function("page_of_1000_routes", |bencher| {
        bencher.iter(|| {
            let mut out = towergate_metrics::Exposition::default();
            registry.write(&mut out, false);
            out.into_text().len()
        });
    });
}

criterion_group!(benches, plugin, among_guards, layer, page);
criterion_main!(benches);
