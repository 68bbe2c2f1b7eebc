//! The plugin opentelemetry with a collector that works.

use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use serde_json::json;
use towergate_tests::{
    Authority, Gateway, Port, Request, SOON, Script, Setup, TlsFront, Upstream, eventually, proxying, proxying_to,
};

use crate::collector::{batches, collector, hex, named, parent, spans, spans_of, value};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A document with the plugin for everything, and what comes after it.
fn tracing(upstream: &Upstream, collector: &Upstream, config: &str, more: &str) -> String {
    let endpoint = format!("{}/v1/traces", collector.url());
    format!(
        "{}plugins:\n- {{name: opentelemetry, config: {{traces_endpoint: \"{endpoint}\", \
         queue: {{max_batch_size: 200, max_coalescing_delay: 0.1}}, {config}}}}}\n{more}",
        proxying(upstream)
    )
}

/// With every part of a request's way, of every request.
fn all(document: &str) -> Setup {
    Gateway::with(document).setting("tracing_instrumentations", "all").setting("tracing_sampling_rate", "1")
}

#[test]
fn a_request_has_kongs_spans() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let more = "- {name: key-auth}\n- {name: correlation-id}\nconsumers: [{username: alice, keyauth_credentials: [{key: alices}]}]\n";
    let gateway = all(&tracing(&upstream, &collector, "headers: {X-Token: secret}", more)).start();
    let before = SystemTime::now();
    let request = Request::get("/a/b?c=d").header("apikey", "alices").header("traceparent", TRACEPARENT);
    assert_eq!(gateway.send(&request).status, 200);

    let spans = spans_of(&collector, 7);
    let mut names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "kong",
        "kong.access.plugin.correlation-id",
        "kong.access.plugin.key-auth",
        "kong.balancer",
        "kong.header_filter.plugin.correlation-id",
        "kong.header_filter.plugin.key-auth",
        "kong.router",
    ];
    assert_eq!(names, expected);

    let root = named(&spans, "kong");
    assert_eq!(root.kind, i32::from(SpanKind::Server));
    assert_eq!(
        (hex(&root.trace_id), hex(&root.parent_span_id)),
        ("0af7651916cd43dd8448eb211c80319c".to_owned(), "b7ad6b7169203331".to_owned())
    );
    let host = "gateway.test";
    for (key, expected) in [
        ("http.method", json!("GET")),
        ("http.url", json!(format!("http://{host}/a/b?c=d"))),
        ("http.host", json!(host)),
        ("http.scheme", json!("http")),
        ("http.flavor", json!("1.1")),
        ("http.client_ip", json!("127.0.0.1")),
        ("net.peer.ip", json!("127.0.0.1")),
        ("http.status_code", json!(200)),
        ("http.route", json!("/")),
    ] {
        assert_eq!(value(&root.attributes, key), expected, "{key}");
    }
    let id = upstream.only().header("x-kong-request-id").unwrap().to_owned();
    assert_eq!(value(&root.attributes, "kong.request.id"), json!(id));

    for span in spans.iter().filter(|span| span.name != "kong") {
        assert_eq!(span.parent_span_id, root.span_id, "{}", span.name);
        assert_eq!(span.trace_id, root.trace_id);
        assert!(span.start_time_unix_nano >= root.start_time_unix_nano, "{}", span.name);
        assert!(span.end_time_unix_nano <= root.end_time_unix_nano, "{}", span.name);
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{}", span.name);
    }
    let since_epoch = before.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let late = Duration::from_nanos(root.start_time_unix_nano).abs_diff(since_epoch);
    assert!(late < Duration::from_secs(10), "{late:?}");

    let balancer = named(&spans, "kong.balancer");
    assert_eq!(balancer.kind, i32::from(SpanKind::Client));
    assert_eq!(value(&balancer.attributes, "net.peer.ip"), json!("127.0.0.1"));
    assert_eq!(value(&balancer.attributes, "net.peer.port"), json!(f64::from(upstream.address().port())));
    assert_eq!(value(&balancer.attributes, "try_count"), json!(1.0));
    // The upstream's spans are children of the attempt.
    let passed_on = upstream.only().header("traceparent").unwrap().to_owned();
    assert_eq!(passed_on, format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", hex(&balancer.span_id)));

    let request = collector.last();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/traces"));
    assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
    assert_eq!(request.header("x-token"), Some("secret"));
    let batch = batches(&collector).remove(0).resource_spans.remove(0);
    let resource = batch.resource.unwrap().attributes;
    assert_eq!(value(&resource, "service.name"), json!("kong"));
    assert_eq!(value(&resource, "service.version"), json!(towergate_tests::KONG_VERSION));
    assert!(value(&resource, "service.instance.id").as_str().is_some_and(|id| id.len() == 36));
}

#[test]
fn failed_attempts_and_refusals_are_seen() {
    let collector = collector();
    let document = proxying_to(&format!("http://{}", Port::free().address()), &["retries: 2"]);
    let endpoint = format!("{}/v1/traces", collector.url());
    let plugin = format!(
        "plugins:\n- {{name: opentelemetry, config: {{traces_endpoint: \"{endpoint}\", queue: {{max_batch_size: 200, max_coalescing_delay: 0.1}}}}}}\n"
    );
    let gateway = all(&(document + &plugin)).start();
    assert_eq!(gateway.get("/").status, 502);
    let spans = spans_of(&collector, 5);
    let tries: Vec<_> = spans.iter().filter(|span| span.name == "kong.balancer").collect();
    assert_eq!(tries.len(), 3);
    for (count, span) in (1..).zip(tries) {
        assert_eq!(value(&span.attributes, "try_count"), json!(f64::from(count)));
        assert_eq!(value(&span.attributes, "http.status_code"), json!(502));
        assert_eq!(span.status.as_ref().unwrap().code, i32::from(StatusCode::Error));
    }
    assert_eq!(value(&named(&spans, "kong").attributes, "http.status_code"), json!(502));
}

#[test]
fn a_request_without_a_route_is_seen_as_well() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let document = tracing(&upstream, &collector, "", "").replace("paths: [\"/\"]", "paths: [\"/only\"]");
    let gateway = all(&document).start();
    assert_eq!(gateway.get("/other").status, 404);
    let spans = spans_of(&collector, 2);
    let root = named(&spans, "kong");
    assert_eq!(value(&root.attributes, "http.status_code"), json!(404));
    assert_eq!(value(&root.attributes, "http.route"), json!(""));
    assert!(!spans.iter().any(|span| span.name == "kong.balancer"));
}

#[test]
fn only_the_parts_that_the_settings_name_become_spans() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let document =
        tracing(&upstream, &collector, "resource_attributes: {service.name: shop, team: a}", "- {name: cors}\n");
    let gateway = Gateway::with(&document)
        .setting("tracing_instrumentations", "request, plugin_access")
        .setting("tracing_sampling_rate", "1")
        .start();
    assert_eq!(gateway.get("/").status, 200);
    let spans = spans_of(&collector, 2);
    let mut names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["kong", "kong.access.plugin.cors"]);
    // Without a span of the attempt the request's own goes upstream.
    let root = named(&spans, "kong");
    assert!(upstream.only().header("traceparent").unwrap().contains(&hex(&root.span_id)));
    let resource = batches(&collector).remove(0).resource_spans.remove(0).resource.unwrap().attributes;
    assert_eq!((value(&resource, "service.name"), value(&resource, "team")), (json!("shop"), json!("a")));
}

#[test]
fn with_tracing_off_traces_are_only_passed_on() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let gateway = Gateway::serving(&tracing(&upstream, &collector, "http_response_header_for_traceid: X-Trace-Id", ""));
    let answer = gateway.send(&Request::get("/").header("traceparent", TRACEPARENT));
    assert_eq!(answer.header("x-trace-id"), Some("0af7651916cd43dd8448eb211c80319c"));
    let passed_on = upstream.only().header("traceparent").unwrap().to_owned();
    let (trace, rest) = passed_on.strip_prefix("00-").unwrap().split_once('-').unwrap();
    assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c");
    assert!(rest.ends_with("-00") && !rest.starts_with("b7ad6b7169203331"), "{passed_on}");
    assert!(spans(&collector).is_empty());
}

#[test]
fn the_sender_and_the_rate_decide_what_is_sampled() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let gateway = all(&tracing(&upstream, &collector, "sampling_rate: 0", "")).start();
    // The plugin's rate counts before the settings', and what comes sampled is no exception in Kong.
    for header in [
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
    ] {
        gateway.send(&Request::get("/").header("traceparent", header));
        assert!(upstream.last().header("traceparent").unwrap().ends_with("-00"));
    }
    let strategy = "sampling_rate: 0, sampling_strategy: parent_probability_fallback";
    gateway.reload(&tracing(&upstream, &collector, strategy, ""));
    gateway.send(&Request::get("/").header("traceparent", TRACEPARENT));
    assert!(upstream.last().header("traceparent").unwrap().ends_with("-01"));
    assert_eq!(spans_of(&collector, 3).len(), 3);
}

#[test]
fn each_route_may_have_a_collector_of_its_own() {
    let (upstream, one, other) = (Upstream::echo(), collector(), collector());
    let plugin = |collector: &Upstream, scope: &str| {
        format!(
            "- {{name: opentelemetry, {scope} config: {{traces_endpoint: \"{}\", queue: {{max_batch_size: 200, max_coalescing_delay: 0.1}}}}}}\n",
            collector.url()
        )
    };
    let text = "consumers: [{username: alice, keyauth_credentials: [{key: alices}]}]\n";
    let document = proxying(&upstream) + "plugins:\n- {name: key-auth}\n";
    let document = document + &plugin(&one, "route: everything,") + &plugin(&other, "consumer: alice,") + text;
    let gateway = all(&document).start();
    assert_eq!(gateway.get("/").status, 401);
    let refused = spans_of(&one, 4);
    assert_eq!(value(&named(&refused, "kong").attributes, "http.status_code"), json!(401));
    assert_eq!(gateway.send(&Request::get("/").header("apikey", "alices")).status, 200);
    let spans = spans_of(&other, 5);
    assert_eq!(value(&named(&spans, "kong").attributes, "http.status_code"), json!(200));
    assert!(spans.iter().all(|span| span.name == "kong" || parent(&spans, span).is_some()));
    assert_eq!(spans_of(&one, 4).len(), 4, "hers go to hers");
}

/// A slow answer: the attempt and the request last until it was passed on.
#[test]
fn spans_last_as_long_as_what_they_are_of() {
    let collector = collector();
    let upstream = Upstream::answering(|_| {
        let first = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nlate";
        Script::raw(first).then_wait(Duration::from_millis(120)).then_send("late")
    });
    let gateway = all(&tracing(&upstream, &collector, "", "")).start();
    assert_eq!(gateway.get("/").text(), "latelate");
    let spans = spans_of(&collector, 3);
    let took = |span: &Span| Duration::from_nanos(span.end_time_unix_nano - span.start_time_unix_nano);
    for name in ["kong", "kong.balancer"] {
        assert!(took(named(&spans, name)) >= Duration::from_millis(120), "{name}");
    }
    let (router, balancer) = (named(&spans, "kong.router"), named(&spans, "kong.balancer"));
    assert!(router.end_time_unix_nano <= balancer.start_time_unix_nano, "it was over before the attempt began");
}

#[test]
fn what_was_queued_is_sent_before_the_gateway_ends() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let config = "sampling_rate: 1, queue: {max_batch_size: 200, max_coalescing_delay: 600}";
    let document = tracing(&upstream, &collector, config, "")
        .replace("queue: {max_batch_size: 200, max_coalescing_delay: 0.1}, ", "");
    let mut gateway = all(&document).start();
    for _ in 0..20 {
        assert_eq!(gateway.get("/").status, 200);
    }
    assert_eq!(spans(&collector).len(), 0, "a batch waits for ten minutes");
    assert!(gateway.terminate().status.success());
    assert_eq!(spans(&collector).iter().filter(|span| span.name == "kong").count(), 20);
}

/// Whom the system trusts decides whom spans are given to; `SSL_CERT_FILE` stands for the system here.
#[test]
fn a_collector_over_tls_is_checked() {
    let (upstream, collector, authority) = (Upstream::echo(), collector(), Authority::new("collectors"));
    let front = TlsFront::new(&collector, &authority.issue(&["localhost"]), None);
    let plugin = format!(
        "plugins:\n- {{name: opentelemetry, config: {{traces_endpoint: \"{}/v1/traces\", sampling_rate: 1}}}}\n",
        front.url("localhost")
    );
    let document = proxying(&upstream) + &plugin;
    let stranger = all(&document).start();
    assert_eq!(stranger.get("/").status, 200);
    eventually(SOON, || stranger.log().contains("handler could not process entries: failed to send request"));
    assert!(spans(&collector).is_empty());

    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("collectors.pem");
    std::fs::write(&trusted, &authority.pem).unwrap();
    let friend = all(&document).environment("SSL_CERT_FILE", &trusted.to_string_lossy()).start();
    assert_eq!(friend.get("/").status, 200);
    assert_eq!(spans_of(&collector, 3).len(), 3);
}

#[test]
fn what_cannot_be_is_refused_in_kongs_words() {
    let upstream = Upstream::echo();
    for (config, said) in [
        ("{}", "at least one of these fields must be non-empty: 'traces_endpoint', 'logs_endpoint'"),
        ("{traces_endpoint: nowhere}", "missing host in url"),
        ("{traces_endpoint: \"http://a/\", sampling_rate: 2}", "value should be between 0 and 1"),
        (
            "{traces_endpoint: \"http://a/\", propagation: {extract: [b3-single], default_format: w3c}}",
            "expected one of",
        ),
        ("{traces_endpoint: \"http://a/\", propagation: {inject: [w3c]}}", "required field missing"),
    ] {
        let document = format!("{}plugins:\n- {{name: opentelemetry, config: {config}}}\n", proxying(&upstream));
        let failure = Gateway::with(&document).fails();
        assert!(failure.stderr.contains(said), "{config}: {}", failure.stderr);
    }
}
