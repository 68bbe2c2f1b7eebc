//! The plugin's layer around a service: what is counted of what it answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use tower::{Layer, ServiceExt, service_fn};
use towergate_core::{
    Accounts, Choice, Client, Consumer, Context, Directory, Env, Level, Plan, Plugin, Plugins, Policy, Protocol, Route,
    Service, Slot, Timing, Wrap,
};
use towergate_metrics::{Exposition, Prometheus, PrometheusConfig, Registry};
use uuid::Uuid;

/// Everything is counted.
fn all() -> PrometheusConfig {
    PrometheusConfig {
        per_consumer: Some(true),
        status_code_metrics: Some(true),
        latency_metrics: Some(true),
        bandwidth_metrics: Some(true),
        ..PrometheusConfig::default()
    }
}

fn route() -> Route {
    Route {
        id: Uuid::from_u128(7),
        name: None,
        protocols: [Protocol::Http].into(),
        strip_path: false,
        preserve_host: false,
        request_buffering: true,
        response_buffering: true,
        https_redirect_status_code: 426,
        tags: Vec::new(),
    }
}

fn service() -> Service {
    let limit = Duration::from_secs(1);
    Service {
        id: Uuid::from_u128(8),
        name: None,
        protocol: Protocol::Http,
        host: "orders.test".into(),
        port: 80,
        path: None,
        retries: 0,
        connect_timeout: limit,
        write_timeout: limit,
        read_timeout: limit,
        tls: None,
        tags: Vec::new(),
        balancing: None,
    }
}

/// A plan on which a plugin of this configuration applies.
fn plan(config: PrometheusConfig, env: &Env) -> Plan {
    let policy: Arc<Policy> = Arc::new(Prometheus::new(config, env).unwrap());
    let choice = Choice::new("prometheus", vec![Level::Everybody(policy)]);
    Plan {
        route: Some(route()),
        service: Some(Arc::new(service())),
        ..Plugins { wraps: vec![Some(choice)], ..Plugins::default() }.into()
    }
}

fn page(env: &Env) -> String {
    let mut out = Exposition::default();
    env.shared.of::<Registry>().write(&mut out, false);
    out.into_text()
}

/// One request on this plan; the upstream took 60 ms, if it was asked.
async fn send(plan: &Arc<Plan>, status: u16, is_proxied: bool) {
    let inner = service_fn(move |request: Request<Full<Bytes>>| async move {
        let cx = request.extensions().get::<Arc<Context>>().unwrap();
        if is_proxied {
            cx.mark_proxied();
            cx.timing.mark_sent(cx.timing.started());
            cx.timing.mark_answered(cx.timing.started() + Duration::from_millis(60));
        }
        // What a server does when it sends the response.
        assert!(cx.traffic.is_asked());
        cx.traffic.add_sent(1000);
        let response = Response::builder().status(status).body(Full::new(Bytes::from_static(b"four")));
        Ok::<_, Infallible>(response.unwrap())
    });
    let layer = Prometheus::layer(Slot::in_plan(0)).layer(inner);
    let mut request = Request::post("/a?b").header("x", "y").body(Full::new(Bytes::from_static(b"three"))).unwrap();
    let (head, _) = Request::new(()).into_parts();
    let timing = Timing::at(Instant::now() - Duration::from_millis(100), SystemTime::now());
    let cx = Context::new(Client::default(), &head, timing, Some(plan.clone()));
    request.extensions_mut().insert(Arc::new(cx));
    let response = layer.oneshot(request).await.unwrap();
    assert_eq!(response.status(), status);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "four");
}

#[tokio::test]
async fn requests_bytes_and_latencies_are_counted_by_service_and_route() {
    let env = Env::default();
    let plan = Arc::new(plan(all(), &env));
    send(&plan, 200, true).await;
    send(&plan, 200, true).await;
    send(&plan, 401, false).await;
    let page = page(&env);
    let labels = "service=\"orders.test\",route=\"00000000-0000-0000-0000-000000000007\"";
    let workspace = "workspace=\"default\"";
    // "POST /a?b HTTP/1.1", "x: y", an empty line, "three".
    for line in [
        format!("kong_http_requests_total{{{labels},code=\"200\",source=\"service\",{workspace},consumer=\"\"}} 2"),
        format!("kong_http_requests_total{{{labels},code=\"401\",source=\"kong\",{workspace},consumer=\"\"}} 1"),
        format!(
            "kong_bandwidth_bytes{{{labels},direction=\"ingress\",{workspace},consumer=\"\"}} {}",
            3 * (20 + 6 + 2 + 5)
        ),
        format!("kong_bandwidth_bytes{{{labels},direction=\"egress\",{workspace},consumer=\"\"}} 3000"),
        format!("kong_upstream_latency_ms_bucket{{{labels},{workspace},le=\"50\"}} 0"),
        format!("kong_upstream_latency_ms_bucket{{{labels},{workspace},le=\"80\"}} 2"),
        format!("kong_upstream_latency_ms_sum{{{labels},{workspace}}} 120"),
        format!("kong_request_latency_ms_bucket{{{labels},{workspace},le=\"80\"}} 0"),
        format!("kong_request_latency_ms_count{{{labels},{workspace}}} 3"),
        format!("kong_kong_latency_ms_bucket{{{labels},{workspace},le=\"30\"}} 0"),
        format!("kong_kong_latency_ms_count{{{labels},{workspace}}} 3"),
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
}

#[tokio::test]
async fn nothing_is_counted_that_is_not_asked_for() {
    for (config, metric) in [
        (
            PrometheusConfig { status_code_metrics: Some(true), ..PrometheusConfig::default() },
            "kong_http_requests_total",
        ),
        (PrometheusConfig { bandwidth_metrics: Some(true), ..PrometheusConfig::default() }, "kong_bandwidth_bytes"),
        (PrometheusConfig { latency_metrics: Some(true), ..PrometheusConfig::default() }, "kong_kong_latency_ms"),
    ] {
        let env = Env::default();
        send(&Arc::new(plan(config, &env)), 200, true).await;
        let page = page(&env);
        assert!(page.contains(metric), "{page}");
        let others = ["kong_http_requests_total", "kong_bandwidth_bytes", "kong_kong_latency_ms"];
        assert!(others.iter().filter(|other| **other != metric).all(|other| !page.contains(other)), "{page}");
    }
    let env = Env::default();
    send(&Arc::new(plan(PrometheusConfig::default(), &env)), 200, true).await;
    assert_eq!(page(&env), "");
}

#[tokio::test]
async fn consumers_are_told_apart_if_that_is_asked_for() {
    for (per_consumer, name) in [(Some(true), "alice"), (Some(false), ""), (None, "")] {
        let env = Env::default();
        let plan = plan(PrometheusConfig { per_consumer, ..all() }, &env);
        let directory = Arc::new(Directory::builder().consumer(Consumer::named("alice")).build());
        let cx =
            Context::new(Client::default(), &Request::new(()).into_parts().0, Timing::start(), Some(Arc::new(plan)));
        let cx = cx.under(Arc::new(directory.into()));
        Accounts::default().admit_anonymous(&cx, cx.directory().unwrap().consumer_named("alice").unwrap());
        let mut request = Request::get("/").body(Empty::<Bytes>::new()).unwrap();
        request.extensions_mut().insert(Arc::new(cx));
        let inner = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) });
        drop(Prometheus::layer(Slot::in_plan(0)).layer(inner).oneshot(request).await.unwrap());
        let page = page(&env);
        for metric in ["kong_http_requests_total", "kong_bandwidth_bytes"] {
            let told = page.lines().filter(|line| line.starts_with(metric));
            let told: Vec<_> = told.map(|line| line.contains(&format!("consumer=\"{name}\""))).collect();
            assert!(!told.is_empty() && told.iter().all(|told| *told), "{page}");
        }
    }
}

/// Accepted, because Kong does: there is nothing to count of models and filters that are not there.
#[tokio::test]
async fn flags_of_what_is_not_there_count_nothing() {
    let env = Env::default();
    let config = PrometheusConfig { ai_metrics: Some(true), wasm_metrics: Some(true), ..PrometheusConfig::default() };
    send(&Arc::new(plan(config, &env)), 200, true).await;
    assert_eq!(page(&env), "");
}

#[tokio::test]
async fn without_a_route_or_its_service_nothing_is_counted() {
    let env = Env::default();
    let (mut unrouted, mut unserved) = (plan(all(), &env), plan(all(), &env));
    (unrouted.route, unrouted.service, unserved.service) = (None, None, None);
    send(&Arc::new(unrouted), 404, false).await;
    send(&Arc::new(unserved), 503, false).await;
    assert_eq!(page(&env), "");
}

#[tokio::test]
async fn what_earlier_plans_counted_stays() {
    let env = Env::default();
    for _ in 0..3 {
        send(&Arc::new(plan(all(), &env)), 204, true).await;
    }
    assert!(page(&env).contains("code=\"204\",source=\"service\",workspace=\"default\",consumer=\"\"} 3\n"));
}

#[tokio::test]
async fn a_client_that_went_away_is_counted_as_499() {
    let env = Env::default();
    let plan = Arc::new(plan(all(), &env));
    let inner =
        service_fn(|_: Request<Empty<Bytes>>| std::future::pending::<Result<Response<Empty<Bytes>>, Infallible>>());
    let layer = Prometheus::layer(Slot::in_plan(0)).layer(inner);
    let mut request = Request::get("/").body(Empty::new()).unwrap();
    let (head, ()) = Request::new(()).into_parts();
    request.extensions_mut().insert(Arc::new(Context::new(Client::default(), &head, Timing::start(), Some(plan))));
    let mut answer = Box::pin(layer.oneshot(request));
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(answer.as_mut().poll(&mut task).is_pending());
    drop(answer);
    assert!(page(&env).contains("code=\"499\",source=\"kong\",workspace=\"default\",consumer=\"\"} 1\n"));
}

#[tokio::test]
async fn where_the_plugin_does_not_apply_nothing_is_asked_of_the_server() {
    let env = Env::default();
    let mut plan = plan(all(), &env);
    Arc::make_mut(&mut plan.plugins).wraps = vec![None];
    let inner = service_fn(|request: Request<Empty<Bytes>>| async move {
        assert!(!request.extensions().get::<Arc<Context>>().unwrap().traffic.is_asked());
        Ok::<_, Infallible>(Response::builder().status(StatusCode::OK).body(Empty::<Bytes>::new()).unwrap())
    });
    let layer = Prometheus::layer(Slot::in_plan(0)).layer(inner);
    let mut request = Request::get("/").body(Empty::new()).unwrap();
    let (head, ()) = Request::new(()).into_parts();
    let cx = Context::new(Client::default(), &head, Timing::start(), Some(Arc::new(plan)));
    request.extensions_mut().insert(Arc::new(cx));
    layer.oneshot(request).await.unwrap();
    assert_eq!(page(&env), "");
}
