//! Spans of what only some requests meet: look-ups of names, plugins that wrap the request.

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use serde_json::json;
use towergate_tests::{DnsServer, Gateway, Setup, Upstream, proxying, proxying_to};

use crate::collector::{collector, named, spans_of, value};

/// A gateway that traces everything, and this document with the plugin for everything.
fn traced(document: &str, collector: &Upstream) -> Setup {
    let plugin = format!(
        "plugins:\n- {{name: opentelemetry, config: {{traces_endpoint: \"{}/v1/traces\", \
         queue: {{max_batch_size: 200, max_coalescing_delay: 0.1}}}}}}\n",
        collector.url()
    );
    let document = match document.split_once("plugins:\n") {
        Some((before, after)) => format!("{before}{plugin}{after}"),
        None => format!("{document}{plugin}"),
    };
    Gateway::with(&document).setting("tracing_instrumentations", "all").setting("tracing_sampling_rate", "1")
}

fn called<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// The request that waits for the look-up has its span; those that find the name known have none.
#[test]
fn a_look_up_that_is_waited_for_has_kongs_span() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let server = DnsServer::start("127.0.0.1 web.test\n", &[]);
    let port = upstream.address().port();
    let document = proxying_to(&format!("http://web.test:{port}"), &["retries: 0"]);
    let gateway = traced(&document, &collector)
        .setting("dns_resolver", &server.address().to_string())
        // One look-up for all of them, however long they take.
        .setting("dns_valid_ttl", "600")
        .setting("nginx_worker_processes", "1")
        .start();
    for _ in 0..3 {
        assert_eq!(gateway.get("/").status, 200);
    }
    let spans = spans_of(&collector, 10);
    let [dns] = called(&spans, "kong.dns")[..] else { panic!("{spans:?}") };
    assert_eq!((called(&spans, "kong").len(), spans.len()), (3, 10), "{spans:?}");
    assert_eq!(dns.kind, i32::from(SpanKind::Client));
    for (key, expected) in [
        ("dns.record.domain", json!("web.test")),
        ("dns.record.port", json!(f64::from(port))),
        ("dns.record.ip", json!("127.0.0.1")),
    ] {
        assert_eq!(value(&dns.attributes, key), expected, "{key}");
    }
    let root = spans.iter().find(|span| span.span_id == dns.parent_span_id).unwrap();
    assert_eq!((root.name.as_str(), &root.trace_id), ("kong", &dns.trace_id));
    assert!(dns.status.is_none() && dns.events.is_empty());
    assert!(root.start_time_unix_nano <= dns.start_time_unix_nano && dns.start_time_unix_nano < dns.end_time_unix_nano);
}

#[test]
fn a_look_up_that_fails_says_why() {
    let collector = collector();
    let server = DnsServer::start("127.0.0.1 web.test\n", &[]);
    let document = proxying_to("http://nobody.test:80", &["retries: 0"]);
    let gateway = traced(&document, &collector).setting("dns_resolver", &server.address().to_string()).start();
    assert_eq!(gateway.get("/").status, 503);
    let spans = spans_of(&collector, 4);
    let dns = named(&spans, "kong.dns");
    assert_eq!(value(&dns.attributes, "dns.record.domain"), json!("nobody.test"));
    assert_eq!(value(&dns.attributes, "dns.record.ip"), json!(null));
    assert_eq!(dns.status.as_ref().unwrap().code, i32::from(StatusCode::Error));
    let [exception] = &dns.events[..] else { panic!("{dns:?}") };
    assert_eq!(exception.name, "exception");
    assert_eq!(value(&exception.attributes, "exception.message"), json!("dns server error: 3 name error"));
}

/// Plugins that wrap the request decide on it and see its response as others do.
#[test]
fn plugins_that_wrap_the_request_have_spans() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let plugins = "plugins:\n- {name: response-ratelimiting, config: {limits: {video: {minute: 10}}}}\n\
                   - {name: circuit-breaker}\n";
    let gateway = traced(&(proxying(&upstream) + plugins), &collector).start();
    assert_eq!(gateway.get("/").status, 200);
    let spans = spans_of(&collector, 7);
    assert_eq!(spans.len(), 7, "{spans:?}");
    let root = named(&spans, "kong");
    for plugin in ["response-ratelimiting", "circuit-breaker"] {
        let (access, header_filter) = (
            named(&spans, &format!("kong.access.plugin.{plugin}")),
            named(&spans, &format!("kong.header_filter.plugin.{plugin}")),
        );
        assert_eq!((&access.parent_span_id, &header_filter.parent_span_id), (&root.span_id, &root.span_id));
        assert!(access.end_time_unix_nano <= named(&spans, "kong.balancer").start_time_unix_nano, "{plugin}");
        assert!(access.end_time_unix_nano <= header_filter.start_time_unix_nano, "{plugin}");
    }
}
