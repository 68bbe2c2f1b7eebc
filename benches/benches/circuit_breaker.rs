//! What a circuit breaker adds to each request.
//!
//! The aim: under a microsecond, however many services one configuration is for, and whoever else
//! calls at the same time.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench that cannot go on fails; criterion's macros document nothing"
)]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use http::{Request, Response};
use tower::{Layer as _, Service as _};
use towergate_circuit_breaker::{Circuit, CircuitBreaker, CircuitBreakerConfig, Rules, Verdict};
use towergate_core::{
    Body, Choice, Client, Context, Env, Level, Plan, Plugin as _, Plugins, Policy, Protocol, Service, Slot, Timing,
    Wrap as _,
};
use uuid::Uuid;

/// The state machine by itself; reading the clock is not counted.
fn circuit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("circuit");
    let start = Instant::now();
    let rules = Rules { error_percentage: Some(50.0), ..Rules::default() };
    let closed = Circuit::new(rules, start);
    group
        .bench_function("closed/success", |bencher| bencher.iter(|| call(&closed, black_box(start), Verdict::Success)));
    let patient = Rules { failure_threshold: None, error_percentage: None, ..rules };
    let failing = Circuit::new(patient, start);
    group.bench_function("closed/failure", |bencher| {
        bencher.iter(|| call(&failing, black_box(start), Verdict::Failure))
    });
    let open = Circuit::new(rules, start);
    (0..5).for_each(|_| call(&open, start, Verdict::Failure));
    group.bench_function("open", |bencher| bencher.iter(|| open.admit(black_box(start)).is_err()));
    let shared = Circuit::new(rules, start);
    group.bench_function("closed/success/2_threads", |bencher| {
        bencher.iter_custom(|calls| {
            let begun = Instant::now();
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| (0..calls).for_each(|_| call(&shared, black_box(start), Verdict::Success)));
                }
            });
            begun.elapsed()
        });
    });
    group.finish();
}

fn call(circuit: &Circuit, now: Instant, verdict: Verdict) {
    if let Ok((ticket, _)) = circuit.admit(now) {
        circuit.report(ticket, verdict, now);
    }
}

/// The proxying service, which answers at once.
#[derive(Clone)]
struct Upstream(u16);

impl tower::Service<Request<()>> for Upstream {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        if let Some(cx) = request.extensions().get::<Arc<Context>>() {
            cx.mark_proxied();
        }
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = http::StatusCode::from_u16(self.0).expect("a status");
        ready(Ok(response))
    }
}

fn service() -> Arc<Service> {
    Arc::new(Service {
        id: Uuid::new_v4(),
        name: Some("users".into()),
        protocol: Protocol::Http,
        host: "users.test".into(),
        port: 80,
        path: None,
        retries: 5,
        connect_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(60),
        read_timeout: Duration::from_secs(60),
        tls: None,
        tags: vec![],
        balancing: None,
    })
}

/// The plan of each of so many services under one configuration of the plugin.
fn plans(services: usize) -> Vec<Arc<Plan>> {
    let policy = CircuitBreaker::new(CircuitBreakerConfig::default(), &Env::default()).expect("a policy");
    let policy: Arc<Policy> = Arc::new(policy);
    let choice = Choice::new(CircuitBreaker::NAME, vec![Level::Everybody(policy)]);
    let plugins = Arc::new(Plugins { wraps: vec![Some(choice)], ..Plugins::default() });
    let plan = || Plan { service: Some(service()), ..plugins.clone().into() };
    (0..services).map(|_| Arc::new(plan())).collect()
}

/// A request as the gateway's server makes it.
fn request(plan: &Arc<Plan>, timing: (Instant, std::time::SystemTime)) -> Request<()> {
    let (mut head, ()) = Request::new(()).into_parts();
    let timing = Timing::at(timing.0, timing.1);
    let cx = Context::new(Client::default(), &head, timing, Some(plan.clone()));
    head.extensions.insert(Arc::new(cx));
    Request::from_parts(head, ())
}

/// A request made and sent through the layer, its clock included. What the layer costs is the
/// difference to `none`, where the plans hold no breaker, and to `no_layer`.
fn layer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("circuit_breaker");
    let timing = (Instant::now(), std::time::SystemTime::now());
    let mut measure = |name: String, plans: &[Arc<Plan>], status: u16| {
        let mut stack = CircuitBreaker::layer(Slot::in_plan(0)).layer(Upstream(status));
        let mut turn = 0;
        let mut once = || {
            turn = (turn + 1) % plans.len();
            stack.call(request(&plans[turn], timing)).now_or_never()
        };
        // Each circuit is made before it counts, and opens if it can.
        (0..plans.len() * 8).for_each(|_| drop(once()));
        group.bench_function(name, |bencher| bencher.iter(&mut once));
    };
    for services in [1, 10_000] {
        let with = plans(services);
        let passed = Arc::new(Plugins { wraps: vec![None], ..Plugins::default() });
        let without: Vec<_> =
            with.iter().map(|plan| Arc::new(Plan { plugins: passed.clone(), ..Plan::clone(plan) })).collect();
        measure(format!("none/{services}"), &without, 200);
        measure(format!("closed/{services}"), &with, 200);
        measure(format!("open/{services}"), &with, 500);
    }
    let (mut bare, plan) = (Upstream(200), &plans(1)[0]);
    group.bench_function("no_layer", |bencher| {
        bencher.iter(|| bare.call(request(plan, timing)).now_or_never());
    });
    group.finish();
}

criterion_group!(benches, circuit, layer);
criterion_main!(benches);
