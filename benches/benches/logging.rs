//! What telling about a request costs the worker that served it: file-log, the access log in text and
//! JSON, an entry for http-log. The thread that writes is not counted.
//!
//! The inner service answers at once, so that its own cost (the first line) can be taken away. The aim:
//! file-log costs at most 2 µs of CPU per request.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a bench that cannot go on fails; criterion's macros document nothing"
)]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    task::{Context as Task, Poll},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use tower_layer::Layer;
use towergate_benches::{routed, times};
use towergate_core::{
    Choice, Client, Context, Env, Level, Observe, ObserveLayer, Plan, Plugin, Plugins, Tries, Try, TryState,
};
use towergate_logging::{AccessLog, Datadog, DatadogConfig, FileLog, Format, HttpLog, HttpLogConfig, Writer};

/// Answers as a proxy and a server would: everything that is asked for is kept and counted.
#[derive(Clone)]
struct Inner(HeaderMap);

impl tower_service::Service<Request<Full<Bytes>>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let response = Response::new(Full::new(Bytes::from_static(b"ok")));
        if let Some(cx) = request.extensions().get::<Arc<Context>>() {
            cx.mark_proxied();
            cx.timing.mark_sent(cx.timing.started());
            cx.timing.mark_answered(cx.timing.started() + Duration::from_millis(1));
            cx.records.keep_request(request.headers());
            cx.records.keep_response(response.status(), &self.0);
            if cx.records.is_asked() {
                cx.records.keep_tries(tries());
                cx.traffic.add_head(300);
                cx.traffic.add_sent(128);
            }
        }
        ready(Ok(response))
    }
}

fn tries() -> Tries {
    let mut tries = Tries::default();
    tries.push(Try {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 8080,
        started_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        balancer_latency: Duration::from_micros(3),
        state: TryState::Answered,
        code: 200,
    });
    tries
}

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
}

/// A request as clients send them, on this plan.
fn request(plan: &Arc<Plan>) -> Request<Full<Bytes>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8000));
    let client = Client { local: Some(address), address: Some(address.ip()), ..Client::default() };
    let identity = [("x-consumer-id", "11111111-2222-4333-8444-555555555555"), ("x-consumer-username", "alice")];
    towergate_benches::request(client, Some(plan), &identity, |cx| {
        cx.host = "api.example.com".into();
        cx.matched.upstream_path = "/users/42".into();
    })
}

/// A plan whose requests are told to this one.
fn plan(observer: Option<Arc<dyn Observe>>) -> Arc<Plan> {
    let choices = observer.map(|observer| Choice::new("log", vec![Level::Everybody(observer)]));
    Arc::new(routed(Plugins { observers: choices.into_iter().collect(), ..Plugins::default() }.into()))
}

/// Times so many requests. Now and then what was logged is written, so that nothing is thrown away.
fn took(plan: &Arc<Plan>, writer: &Writer, count: u64) -> Duration {
    let response = headers(&[
        ("content-type", "application/json"),
        ("content-length", "128"),
        ("date", "Sat, 28 Nov 2026 15:04:05 GMT"),
        ("server", "towergate/0.1.0"),
        ("via", "1.1 towergate/0.1.0"),
        ("x-kong-upstream-latency", "1"),
        ("x-kong-proxy-latency", "0"),
        ("x-kong-request-id", "0123456789abcdef0123456789abcdef"),
    ]);
    let mut service = ObserveLayer::from_plan().layer(Inner(response));
    times(&mut service, count, || request(plan), || writer.flush(Duration::from_secs(5)))
}

fn logs(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let writer = Writer::default();
    let lines = |name: &str| writer.to(&folder.path().join(name));
    let access = |name: &str| -> Arc<dyn Observe> {
        Arc::new(AccessLog::new(lines(name), Format::named(name).expect("a format")))
    };
    let endpoint = HttpLogConfig { http_endpoint: "http://collector.test".into(), ..HttpLogConfig::default() };
    let observers: [(&str, Option<Arc<dyn Observe>>); 6] = [
        ("without", None),
        ("access_log_kong", Some(access("kong_log_format"))),
        ("access_log_json", Some(access("json"))),
        ("file_log", Some(Arc::new(FileLog::new(&writer, &folder.path().join("file.log"))))),
        ("http_log_entry", Some(Arc::new(HttpLog::new(endpoint, &Env::default()).expect("a policy")))),
        ("datadog_entry", Some(Arc::new(Datadog::new(DatadogConfig::default(), &Env::default()).expect("a policy")))),
    ];
    let mut group = criterion.benchmark_group("log");
    for (name, observer) in observers {
        let plan = plan(observer);
        group.bench_function(name, |bencher| bencher.iter_custom(|count| took(&plan, &writer, count)));
    }
    group.finish();
}

criterion_group!(benches, logs);
criterion_main!(benches);
