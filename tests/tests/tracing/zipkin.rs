//! The plugin zipkin with a collector that works.

use serde_json::{Value, json};
use towergate_tests::{Gateway, Port, Request, Upstream, proxying, proxying_to};

use crate::collector::{collector, zipkin_spans};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn plugin(collector: &Upstream, config: &str) -> String {
    let endpoint = format!("{}/api/v2/spans", collector.url());
    format!("plugins:\n- {{name: zipkin, config: {{http_endpoint: \"{endpoint}\", sample_ratio: 1, {config}}}}}\n")
}

/// The span of the request, the one of the proxy, and those of the attempts.
fn sorted(spans: Vec<Value>) -> (Value, Value, Vec<Value>) {
    let name = |span: &Value| span["name"].as_str().expect("a name").to_owned();
    let (tries, others): (Vec<_>, Vec<_>) = spans.into_iter().partition(|span| name(span).contains("balancer"));
    let (proxy, request): (Vec<_>, Vec<_>) = others.into_iter().partition(|span| name(span).ends_with("(proxy)"));
    (request.into_iter().next().expect("a request"), proxy.into_iter().next().expect("a proxy"), tries)
}

#[test]
fn a_request_has_kongs_spans() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let config = "local_service_name: gateway, default_service_name: somebody, static_tags: [{name: env, value: test}]";
    let more = "- {name: key-auth}\nconsumers: [{username: alice, keyauth_credentials: [{key: alices, \
                id: 5f2a1a5c-0000-4000-8000-000000000001}]}]\n";
    let gateway = Gateway::serving(&(proxying(&upstream) + &plugin(&collector, config) + more));
    let request = Request::get("/a/b?c=d")
        .header("apikey", "alices")
        .header("b3", &format!("{TRACE}-b7ad6b7169203331-1-00f067aa0ba902b7"))
        .header("zipkin-tags", "who=me; wrong; of = two words");
    assert_eq!(gateway.send(&request).status, 200);

    let (request, proxy, tries) = sorted(zipkin_spans(&collector, 3));
    // B3 lets the gateway go on with the client's span.
    assert_eq!(request["traceId"], TRACE);
    assert_eq!((&request["id"], &request["parentId"]), (&json!("b7ad6b7169203331"), &json!("00f067aa0ba902b7")));
    assert_eq!((&request["kind"], &request["name"]), (&json!("SERVER"), &json!("GET")));
    assert_eq!(request["localEndpoint"], json!({"serviceName": "gateway"}));
    assert_eq!(request["remoteEndpoint"]["ipv4"], "127.0.0.1");
    assert_eq!(request["remoteEndpoint"]["serviceName"], "somebody");
    let tags = &request["tags"];
    for (name, value) in [
        ("lc", "kong"),
        ("http.method", "GET"),
        ("http.path", "/a/b"),
        ("http.host", "gateway.test"),
        ("http.protocol", "HTTP/1.1"),
        ("http.status_code", "200"),
        ("env", "test"),
        ("who", "me"),
        ("of", "two words"),
        ("kong.credential", "5f2a1a5c-0000-4000-8000-000000000001"),
    ] {
        assert_eq!(tags[name], value, "{name}");
    }
    assert!(tags["kong.consumer"].is_string() && tags["kong.node.id"].is_string());
    assert_eq!(annotations(&request), ["krf", "krs"]);

    assert_eq!((&proxy["kind"], &proxy["name"]), (&json!("CLIENT"), &json!("GET (proxy)")));
    assert_eq!((&proxy["parentId"], &proxy["traceId"]), (&request["id"], &json!(TRACE)));
    let address = json!({"serviceName": "echo", "ipv4": "127.0.0.1", "port": upstream.address().port()});
    assert_eq!(proxy["remoteEndpoint"], address);
    assert_eq!(proxy["tags"]["kong.service_name"], "echo");
    assert_eq!(proxy["tags"]["kong.route_name"], "everything");
    assert_eq!(proxy["tags"]["peer.hostname"], "127.0.0.1");
    assert_eq!(annotations(&proxy), ["kaf", "kas", "kbf", "kbs", "khf", "khs"]);

    let [only] = tries.as_slice() else { panic!("{tries:?}") };
    assert_eq!((&only["name"], &only["parentId"]), (&json!("GET (balancer try 1)"), &request["id"]));
    assert_eq!(only["tags"]["kong.balancer.try"], "1");
    assert!(only["tags"].get("error").is_none());
    assert_eq!(only["remoteEndpoint"], address);

    let id = proxy["id"].as_str().unwrap();
    let passed_on = upstream.only().header("b3").unwrap().to_owned();
    assert_eq!(passed_on, format!("{TRACE}-{id}-1-b7ad6b7169203331"));
    let sent = collector.last();
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", "/api/v2/spans"));
    assert_eq!(sent.header("content-type"), Some("application/json"));
}

fn annotations(span: &Value) -> Vec<String> {
    let all = span["annotations"].as_array().expect("annotations");
    assert!(all.iter().all(|annotation| annotation["timestamp"].is_u64()));
    let mut names: Vec<_> = all.iter().map(|annotation| annotation["value"].as_str().unwrap().to_owned()).collect();
    names.sort_unstable();
    names
}

#[test]
fn attempts_that_failed_are_told() {
    let collector = collector();
    let document = proxying_to(&format!("http://{}", Port::free().address()), &["retries: 1"]);
    let config = "phase_duration_flavor: tags, http_span_name: method_path, include_credential: false";
    let gateway = Gateway::serving(&(document + &plugin(&collector, config)));
    assert_eq!(gateway.get("/x").status, 502);
    let (request, proxy, tries) = sorted(zipkin_spans(&collector, 4));
    assert_eq!(request["name"], "GET /x");
    assert_eq!(request["tags"]["http.status_code"], "502");
    assert!(request.get("annotations").is_none());
    assert!(request["tags"]["kong.rewrite.duration_ms"].is_string());
    for phase in ["access", "header_filter", "body_filter"] {
        assert!(proxy["tags"][format!("kong.{phase}.duration_ms")].is_string(), "{phase}");
    }
    assert_eq!(tries.len(), 2);
    // As in Kong, only what was tried again is an error.
    let (first, last) = (&tries[0]["tags"], &tries[1]["tags"]);
    assert_eq!((&first["error"], &first["kong.balancer.state"]), (&json!("true"), &json!("failed")));
    assert_eq!(first["http.status_code"], "502");
    assert!(last.get("error").is_none() && last["kong.balancer.try"] == "2");
}

#[test]
fn a_request_without_a_route_is_seen_as_well() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let document = proxying(&upstream).replace("paths: [\"/\"]", "paths: [\"/only\"]");
    let gateway = Gateway::serving(&(document + &plugin(&collector, "traceid_byte_count: 8")));
    assert_eq!(gateway.get("/other").status, 404);
    let (request, proxy, tries) = sorted(zipkin_spans(&collector, 2));
    assert_eq!(request["tags"]["http.status_code"], "404");
    assert_eq!(request["traceId"].as_str().unwrap().len(), 16);
    assert!(proxy["remoteEndpoint"].is_null() && tries.is_empty());
}

#[test]
fn a_new_trace_goes_on_as_b3_and_its_id_to_the_client() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let config = "http_response_header_for_traceid: X-Trace-Id";
    let gateway = Gateway::serving(&(proxying(&upstream) + &plugin(&collector, config)));
    let answer = gateway.get("/");
    let received = upstream.only();
    let (request, proxy, _) = sorted(zipkin_spans(&collector, 3));
    assert_eq!(answer.header("x-trace-id"), request["traceId"].as_str());
    assert_eq!(received.header("x-b3-traceid"), request["traceId"].as_str());
    assert_eq!(received.header("x-b3-spanid"), proxy["id"].as_str());
    assert_eq!(received.header("x-b3-parentspanid"), request["id"].as_str());
    assert_eq!(received.header("x-b3-sampled"), Some("1"));
}

#[test]
fn what_is_not_sampled_is_passed_on_and_not_sent() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let gateway = Gateway::serving(&(proxying(&upstream) + &plugin(&collector, "queue: {max_coalescing_delay: 0.05}")));
    assert_eq!(gateway.send(&Request::get("/quiet").header("x-b3-sampled", "0")).status, 200);
    assert_eq!(upstream.last().header("x-b3-sampled"), Some("0"));
    assert_eq!(gateway.send(&Request::get("/loud").header("x-b3-sampled", "1")).status, 200);
    let spans = zipkin_spans(&collector, 3);
    assert!(spans.iter().all(|span| span["tags"]["http.path"] != "/quiet"));
}

/// Both plugins on one request: what the one has written the other reads, as in Kong.
#[test]
fn both_plugins_stay_in_one_trace() {
    let (upstream, zipkin, otlp) = (Upstream::echo(), collector(), collector());
    let more = format!(
        "- {{name: opentelemetry, config: {{traces_endpoint: \"{}\", sampling_rate: 1, queue: {{max_coalescing_delay: 0.05}}, \
         propagation: {{extract: [b3], inject: [w3c], default_format: w3c}}}}}}\n",
        otlp.url()
    );
    let document = proxying(&upstream) + &plugin(&zipkin, "") + &more;
    let gateway = Gateway::with(&document).setting("tracing_instrumentations", "all").start();
    assert_eq!(gateway.get("/").status, 200);
    let (request, proxy, _) = sorted(zipkin_spans(&zipkin, 3));
    let spans = crate::collector::spans_of(&otlp, 3);
    let root = crate::collector::named(&spans, "kong");
    assert_eq!(crate::collector::hex(&root.trace_id), request["traceId"].as_str().unwrap());
    assert_eq!(crate::collector::hex(&root.parent_span_id), proxy["id"].as_str().unwrap());
    assert!(upstream.only().header("traceparent").unwrap().contains(request["traceId"].as_str().unwrap()));
}
