//! The plugins' layers around a service: what reaches it, what comes back, what is sent.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod collector;

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Bytes;
use collector::Collector;
use http::{HeaderMap, Request, Response, StatusCode, request::Parts, response};
use http_body_util::{BodyExt, Full};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use towergate_core::{
    Accounts, Choice, Client, Consumer, Context, Directory, Env, Generation, Guard, GuardLayer, Instrumentations,
    Level, Node, Plan, Plugin, Plugins, Policy, Reply, Slot, Timing, Verdict, Wrap,
};
use towergate_queue::{QueueConfig, Queues};
use towergate_schema::RecordSchema;
use towergate_tracing::{OpenTelemetry, OpenTelemetryConfig, Zipkin, ZipkinConfig};

/// A gateway whose settings trace everything.
fn env() -> Env {
    let env = Env::default();
    env.shared.introduce(Node { tracing: Instrumentations::all(), ..Node::default() });
    env
}

fn opentelemetry(url: &str, env: &Env) -> Arc<OpenTelemetry> {
    let config = OpenTelemetryConfig {
        traces_endpoint: Some(url.to_owned()),
        sampling_rate: Some(1.0),
        http_response_header_for_traceid: Some("x-trace".into()),
        queue: Some(QueueConfig { max_batch_size: Some(200), ..QueueConfig::default() }),
        ..OpenTelemetryConfig::default()
    };
    let policy = Arc::new(OpenTelemetry::new(config, env).unwrap());
    tokio::spawn(policy.background().unwrap());
    policy
}

/// A guard that asks who it is, or refuses.
struct Ask(Option<Consumer>);

impl Guard for Ask {
    fn check(&self, cx: &Context, _: &mut Parts) -> Verdict {
        let accounts = Accounts::default();
        match self.0.as_ref().and_then(|consumer| accounts.directory(cx)?.consumer_named(consumer.username.as_deref()?))
        {
            Some(consumer) => {
                accounts.admit_anonymous(cx, consumer);
                Verdict::Pass
            }
            None => Verdict::Refuse(Reply::error(StatusCode::UNAUTHORIZED, "No")),
        }
    }
}

fn plan(choice: Choice<Policy>, guard: Ask) -> (Arc<Plan>, Arc<Generation>) {
    let directory =
        guard.0.iter().fold(Directory::builder(), |directory, consumer| directory.consumer(consumer.clone()));
    let guard: Arc<dyn Guard> = Arc::new(guard);
    let plugins = Plugins {
        guards: vec![Choice::new("ask", vec![Level::Everybody(guard)])],
        wraps: vec![Some(choice)],
        records_spans: true,
        ..Plugins::default()
    };
    (Arc::new(plugins.into()), Arc::new(Arc::new(directory.build()).into()))
}

/// What the inner service saw of a request.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Option<HeaderMap>>>);

impl Seen {
    /// Answers everything, and remembers the headers.
    fn service<B>(
        &self,
    ) -> impl Service<Request<B>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + 'static
    where
        B: Send + 'static,
    {
        let seen = self.0.clone();
        service_fn(move |request: Request<B>| {
            *seen.lock().unwrap() = Some(request.headers().clone());
            std::future::ready(Ok(Response::new(Full::new(Bytes::from_static(b"ok")))))
        })
    }

    fn header(&self, name: &str) -> Option<String> {
        let seen = self.0.lock().unwrap();
        Some(seen.as_ref()?.get(name)?.to_str().unwrap().to_owned())
    }
}

/// A request on this plan: the head of its response, whose body is read to its end.
async fn send<S, B>(
    service: S,
    (plan, generation): &(Arc<Plan>, Arc<Generation>),
    headers: &[(&str, &str)],
) -> response::Parts
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let mut request = Request::get("http://a.test/x").body(Full::default()).unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let (mut head, body) = request.into_parts();
    let cx = Context::new(Client::default(), &head, Timing::start(), Some(plan.clone())).under(generation.clone());
    head.extensions.insert(Arc::new(cx));
    let (head, body) = service.oneshot(Request::from_parts(head, body)).await.unwrap().into_parts();
    body.collect().await.unwrap();
    head
}

fn everybody(name: &'static str, policy: Arc<Policy>) -> Choice<Policy> {
    Choice::new(name, vec![Level::Everybody(policy)])
}

async fn drained(env: &Env) {
    assert_eq!(env.shared.of::<Queues>().drain(Duration::from_secs(10)).await, 0);
}

#[tokio::test]
async fn a_request_goes_on_in_its_trace_and_is_told() {
    let (collector, env) = (Collector::start().await, env());
    let plan = plan(everybody("opentelemetry", opentelemetry(&collector.url, &env)), Ask(Some(Consumer::named("a"))));
    let seen = Seen::default();
    let service = OpenTelemetry::layer(Slot::in_plan(0)).layer(GuardLayer::from_plan().layer(seen.service()));
    let trace = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let head = send(service, &plan, &[trace]).await;
    assert_eq!(head.headers["x-trace"], "0af7651916cd43dd8448eb211c80319c");
    assert!(seen.header("traceparent").unwrap().starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
    drained(&env).await;
    let spans = collector.spans(3).await;
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["kong", "kong.access.plugin.ask", "kong.header_filter.plugin.ask"]);
}

#[tokio::test]
async fn a_refusal_is_told() {
    let (collector, env) = (Collector::start().await, env());
    let plan = plan(everybody("opentelemetry", opentelemetry(&collector.url, &env)), Ask(None));
    let seen = Seen::default();
    let service = OpenTelemetry::layer(Slot::in_plan(0)).layer(GuardLayer::from_plan().layer(seen.service()));
    assert_eq!(send(service, &plan, &[]).await.status, StatusCode::UNAUTHORIZED);
    assert!(seen.0.lock().unwrap().is_none());
    drained(&env).await;
    assert_eq!(collector.spans(3).await.len(), 3);
}

/// Who its consumer is, is learnt after the request has begun.
#[tokio::test]
async fn a_consumers_own_configuration_says_where_spans_go() {
    let (collector, env, alice) = (Collector::start().await, env(), Consumer::named("alice"));
    let policy: Arc<Policy> = opentelemetry(&collector.url, &env);
    let level = Level::Consumer(Arc::new(HashMap::from([(alice.id, policy)])));
    let plan = plan(Choice::new("opentelemetry", vec![level]), Ask(Some(alice)));
    let seen = Seen::default();
    let service = OpenTelemetry::layer(Slot::in_plan(0)).layer(GuardLayer::from_plan().layer(seen.service()));
    let head = send(service, &plan, &[]).await;
    assert!(head.headers.contains_key("x-trace"));
    assert_eq!(seen.header("traceparent"), None, "it was not known in time");
    drained(&env).await;
    assert_eq!(collector.spans(3).await[0].name, "kong");
}

#[tokio::test]
async fn zipkin_passes_on_what_it_does_not_send() {
    let env = env();
    let config = ZipkinConfig { sample_ratio: Some(1.0), ..ZipkinConfig::default() };
    let policy = Arc::new(Zipkin::new(config, &env).unwrap());
    assert!(policy.background().is_none(), "without http_endpoint there is nothing to do");
    let plan = plan(everybody("zipkin", policy), Ask(Some(Consumer::named("a"))));
    let seen = Seen::default();
    let service = Zipkin::layer(Slot::in_plan(0)).layer(GuardLayer::from_plan().layer(seen.service()));
    send(service, &plan, &[]).await;
    assert_eq!(seen.header("x-b3-sampled").as_deref(), Some("1"));
    assert_eq!(seen.header("x-b3-traceid").unwrap().len(), 32);
}

/// The configuration of a plugin as it stands in a file, defaults filled in.
fn completed<C: RecordSchema + DeserializeOwned>(mut config: Value) -> C {
    assert!(C::record().complete(&mut config).is_empty(), "{config}");
    serde_json::from_value(config).unwrap()
}

/// The headers with a trace's id that reach the service: each with whether it is the one that came.
async fn passed_on(plugin: &str, config: &Value, headers: &[(&str, &str)]) -> Vec<String> {
    let (seen, env) = (Seen::default(), env());
    let plan = <(Arc<Plan>, Arc<Generation>)>::default();
    if plugin == "zipkin" {
        let policy = Zipkin::new(completed::<ZipkinConfig>(config.clone()), &env).unwrap();
        send(Zipkin::layer(Slot::own(policy)).layer(seen.service()), &plan, headers).await;
    } else {
        let policy = OpenTelemetry::new(completed::<OpenTelemetryConfig>(config.clone()), &env).unwrap();
        send(OpenTelemetry::layer(Slot::own(policy)).layer(seen.service()), &plan, headers).await;
    }
    let seen = seen.0.lock().unwrap().take().unwrap();
    let with_id = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let text = value.to_str().unwrap().replace("1-0af76519-", "0af76519");
        let has_id = text.len() >= 16 && !name.as_str().ends_with("spanid") && !name.as_str().contains("parent-");
        let word = if text.contains(&W3C.1[3..35]) { "goes on" } else { "new" };
        (has_id && name != "x-b3-parentspanid").then(|| format!("{name}: {word}"))
    };
    let mut names: Vec<_> = seen.iter().filter_map(with_id).collect();
    names.sort();
    names
}

const W3C: (&str, &str) = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
const B3: (&str, &str) = ("b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0");

/// What each way to configure propagation makes of what comes, in both plugins.
#[tokio::test]
async fn traces_go_on_as_configured() {
    let propagation = |propagation: Value| json!({"propagation": propagation});
    let rows = [
        ("opentelemetry", json!({}), &[][..], &["traceparent: new"][..]),
        ("opentelemetry", json!({}), &[W3C], &["traceparent: goes on"]),
        ("opentelemetry", json!({}), &[B3], &["b3: goes on"]),
        ("opentelemetry", json!({"header_type": "ignore"}), &[W3C], &["traceparent: new"]),
        // Nobody has looked at it, so that it stays.
        ("opentelemetry", json!({"header_type": "ignore"}), &[B3], &["b3: goes on", "traceparent: new"]),
        ("opentelemetry", json!({"header_type": "b3"}), &[W3C], &["traceparent: goes on", "x-b3-traceid: goes on"]),
        ("opentelemetry", json!({"header_type": "jaeger"}), &[], &["traceparent: new", "uber-trace-id: new"]),
        (
            "opentelemetry",
            propagation(json!({"extract": ["b3"], "clear": ["b3"], "inject": ["w3c"], "default_format": "w3c"})),
            &[B3],
            &["traceparent: goes on"],
        ),
        (
            "opentelemetry",
            propagation(json!({"extract": ["w3c"], "inject": ["preserve"], "default_format": "gcp"})),
            &[],
            &["x-cloud-trace-context: new"],
        ),
        (
            "opentelemetry",
            propagation(json!({"extract": ["w3c"], "inject": ["preserve", "aws"], "default_format": "gcp"})),
            &[W3C],
            &["traceparent: goes on", "x-amzn-trace-id: goes on"],
        ),
        // Without `extract` each request begins a trace; without `inject` nothing is written.
        (
            "opentelemetry",
            propagation(json!({"inject": ["b3-single"], "default_format": "w3c"})),
            &[W3C],
            &["b3: new", "traceparent: goes on"],
        ),
        ("opentelemetry", propagation(json!({"extract": ["w3c"], "default_format": "w3c"})), &[], &[]),
        ("zipkin", json!({}), &[], &["x-b3-traceid: new"]),
        ("zipkin", json!({}), &[W3C], &["traceparent: goes on"]),
        ("zipkin", json!({"default_header_type": "w3c"}), &[], &["traceparent: new"]),
        ("zipkin", json!({"header_type": "w3c"}), &[B3], &["b3: goes on", "traceparent: goes on"]),
        (
            "zipkin",
            json!({"header_type": "ignore", "default_header_type": "jaeger"}),
            &[W3C],
            &["traceparent: goes on", "uber-trace-id: new"],
        ),
        // As in Kong, `default_header_type` (b3) counts as long as nothing else is said of `propagation`.
        ("zipkin", propagation(json!({"default_format": "w3c"})), &[], &["x-b3-traceid: new"]),
        (
            "zipkin",
            propagation(json!({"extract": ["w3c"], "inject": ["preserve", "ot"], "default_format": "b3-single"})),
            &[],
            &["b3: new", "ot-tracer-traceid: new"],
        ),
    ];
    for (plugin, mut config, headers, expected) in rows {
        if plugin == "opentelemetry" {
            config["traces_endpoint"] = "http://a/".into();
        }
        assert_eq!(passed_on(plugin, &config, headers).await, expected, "{plugin} {config} {headers:?}");
    }
}

/// On a plan without the plugin nothing is touched.
#[tokio::test]
async fn without_the_plugin_nothing_is_done() {
    let plan = (Arc::new(Plugins { wraps: vec![None], ..Plugins::default() }.into()), Arc::default());
    let seen = Seen::default();
    let service = OpenTelemetry::layer(Slot::in_plan(0)).layer(seen.service());
    let head = send(service, &plan, &[("traceparent", "as it came")]).await;
    assert_eq!(seen.header("traceparent").as_deref(), Some("as it came"));
    assert!(head.headers.is_empty());
}
