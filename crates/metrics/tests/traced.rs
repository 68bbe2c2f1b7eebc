//! What is counted of single requests: exemplars of those that are traced, and the time plugins took.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body_util::Empty;
use tower::{Layer, ServiceExt, service_fn};
use towergate_core::{
    Choice, Client, Context, Env, Guard, GuardLayer, Level, Outcome, Plan, Plugin, Plugins, Policy, Protocol, Reply,
    Route, Service, Slot, Timing, Trace, TraceFormats, Verdict, Wrap,
};
use towergate_metrics::{Exposition, Format, Prometheus, PrometheusConfig, Registry};
use uuid::Uuid;

/// Lets pass after a while.
struct Waiting;

impl Guard for Waiting {
    fn check(&self, _: &Context, _: &mut Parts) -> Verdict {
        Verdict::wait(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Outcome::Pass
        })
    }
}

/// Lets nobody pass.
struct Refusing;

impl Guard for Refusing {
    fn check(&self, _: &Context, _: &mut Parts) -> Verdict {
        Verdict::Refuse(Reply::fault(http::StatusCode::FORBIDDEN))
    }
}

fn plan(guards: Vec<Choice<dyn Guard>>, env: &Env) -> Arc<Plan> {
    let config = PrometheusConfig { latency_metrics: Some(true), ..PrometheusConfig::default() };
    let policy: Arc<Policy> = Arc::new(Prometheus::new(config, env).unwrap());
    let wraps = vec![Some(Choice::new("prometheus", vec![Level::Everybody(policy)]))];
    let limit = Duration::from_secs(1);
    Arc::new(Plan {
        route: Some(Route {
            id: Uuid::from_u128(7),
            name: Some("r".into()),
            protocols: [Protocol::Http].into(),
            strip_path: false,
            preserve_host: false,
            request_buffering: true,
            response_buffering: true,
            https_redirect_status_code: 426,
            tags: Vec::new(),
        }),
        service: Some(Arc::new(Service {
            id: Uuid::from_u128(8),
            name: Some("s".into()),
            protocol: Protocol::Http,
            host: "s.test".into(),
            port: 80,
            path: None,
            retries: 0,
            connect_timeout: limit,
            write_timeout: limit,
            read_timeout: limit,
            tls: None,
            tags: Vec::new(),
            balancing: None,
        })),
        ..Plugins { guards, wraps, ..Plugins::default() }.into()
    })
}

fn guard(name: &'static str, guard: Arc<dyn Guard>) -> Choice<dyn Guard> {
    Choice::new(name, vec![Level::Everybody(guard)])
}

fn page(env: &Env, format: Format) -> String {
    let mut out = Exposition::of(format);
    env.shared.of::<Registry>().write(&mut out, false);
    out.into_text()
}

/// So many requests on this plan, one of whose plugins may have found a trace.
async fn send(plan: &Arc<Plan>, trace: Option<Trace>, count: usize) {
    let answer = |_| async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) };
    let layer = Prometheus::layer(Slot::in_plan(0)).layer(GuardLayer::from_plan().layer(service_fn(answer)));
    for _ in 0..count {
        let mut request = Request::get("/").body(Empty::<Bytes>::new()).unwrap();
        let (head, ()) = Request::new(()).into_parts();
        let cx = Context::new(Client::default(), &head, Timing::start(), Some(plan.clone()));
        trace.iter().for_each(|trace| cx.record_trace(trace.clone()));
        request.extensions_mut().insert(Arc::new(cx));
        drop(layer.clone().oneshot(request).await.unwrap());
    }
}

#[tokio::test]
async fn a_latency_names_the_trace_of_a_request_that_took_so_long() {
    let trace = |is_sampled| Trace { id: 0x0af7_6519, span_id: 1, is_sampled, formats: TraceFormats::default() };
    for (trace, format, is_there) in [
        (Some(trace(true)), Format::OpenMetrics, true),
        (Some(trace(true)), Format::Text, false),
        (Some(trace(false)), Format::OpenMetrics, false),
        (None, Format::OpenMetrics, false),
    ] {
        let env = Env::default();
        send(&plan(Vec::new(), &env), trace.clone(), 1).await;
        let page = page(&env, format);
        let exemplar = " 1 # {trace_id=\"0000000000000000000000000af76519\"} ";
        let line =
            page.lines().find(|line| line.starts_with("kong_request_latency_ms_bucket") && line.contains(exemplar));
        assert_eq!(line.is_some(), is_there, "{trace:?} {format:?}\n{page}");
        assert_eq!(page.contains("trace_id"), is_there, "{trace:?} {format:?}\n{page}");
    }
}

#[tokio::test]
async fn one_of_sixteen_requests_tells_how_long_plugins_took() {
    let env = Env::default();
    let guards = vec![guard("waiting", Arc::new(Waiting)), guard("refusing", Arc::new(Refusing))];
    send(&plan(guards, &env), None, 17).await;
    let page = page(&env, Format::Text);
    let value = |series: &str| -> f64 {
        let found = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {series} in\n{page}")).parse().unwrap()
    };
    for (plugin, phase) in
        [("waiting", "request"), ("waiting", "response"), ("refusing", "request"), ("refusing", "response")]
    {
        let count = format!("towergate_plugin_duration_seconds_count{{plugin=\"{plugin}\",phase=\"{phase}\"}}");
        assert_eq!(value(&count), 2.0, "the first and the seventeenth");
    }
    let sum = "towergate_plugin_duration_seconds_sum{plugin=\"waiting\",phase=\"request\"}";
    assert!(value(sum) >= 0.04, "waiting is part of it: {}", value(sum));
}
