//! Every field of the `kong.yml` that the Kong guide for microservices shows does here what it does in Kong.
//!
//! Each test is named after its row of the table of that guide's promises (S30 to S51, S70 to S74); S60 to S63 stand in `guide_protection.rs`.

use std::time::Duration;

use serde_json::{Value, json};
use towergate_tests::{
    Answer, BlackHole, Gateway, Reply, Request, SOON, Script, Upstream, eventually, proxying, proxying_to,
};

/// The declarative document of the guide, to the letter.
const GUIDE: &str = r#"
_format_version: "3.0"
_transform: true
services:
  - name: user-service
    url: http://user-service:3000
    connect_timeout: 5000
    write_timeout: 60000
    read_timeout: 60000
    retries: 3
    tags:
      - internal
      - users
  - name: order-service
    url: http://order-service:3001
    connect_timeout: 5000
    write_timeout: 60000
    read_timeout: 60000
    retries: 3
  - name: product-service
    url: http://product-service:3002
    connect_timeout: 5000
    write_timeout: 60000
    read_timeout: 60000
    retries: 3
routes:
  - name: user-api
    service: user-service
    paths:
      - /api/v1/users
    methods: [GET, POST, PUT, DELETE, PATCH]
    strip_path: false
    preserve_host: true
  - name: order-api
    service: order-service
    paths:
      - /api/v1/orders
    methods: [GET, POST, PUT, DELETE]
  - name: product-api
    service: product-service
    paths:
      - /api/v1/products
    methods: [GET, POST, PUT, DELETE]
upstreams:
  - name: user-service-upstream
    algorithm: round-robin
    healthchecks:
      active:
        healthy:
          interval: 5
          successes: 2
        unhealthy:
          interval: 5
          http_failures: 3
        http_path: /health/live
        timeout: 3
    targets:
      - target: user-service-1:3000
        weight: 100
      - target: user-service-2:3000
        weight: 100
consumers:
  - username: mobile-app
    custom_id: mobile-app-001
  - username: web-app
    custom_id: web-app-001
  - username: partner-api
    custom_id: partner-001
plugins:
  - name: correlation-id
    config:
      header_name: X-Correlation-ID
      generator: uuid
      echo_downstream: true
  - name: cors
    config:
      origins:
        - "https://app.example.com"
      methods: [GET, POST, PUT, DELETE, OPTIONS]
      credentials: true
      max_age: 3600
"#;

/// The hosts of the guide exist nowhere; these stand in for them.
fn guide_in_front_of(users: &Upstream, orders: &Upstream, products: &Upstream) -> String {
    GUIDE
        .replace("http://user-service:3000", &users.url())
        .replace("http://order-service:3001", &orders.url())
        .replace("http://product-service:3002", &products.url())
}

/// A gateway whose configuration is posted later.
fn empty_gateway() -> Gateway {
    Gateway::serving("_format_version: \"3.0\"\n")
}

/// The error texts of a refused document.
#[track_caller]
fn refusal(gateway: &Gateway, document: &str) -> String {
    let answer = gateway.post_document(document);
    assert_eq!(answer.status, 400, "{}", answer.text());
    answer.json()["fields"].to_string()
}

/// The entities of one kind that an accepted document holds.
#[track_caller]
fn accepted(answer: &Answer, kind: &str) -> Vec<Value> {
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()[kind].as_object().into_iter().flat_map(|entities| entities.values().cloned()).collect()
}

#[test]
fn the_document_of_the_guide_serves_its_three_services() {
    let [users, orders, products] = [Upstream::echo(), Upstream::echo(), Upstream::echo()];
    let gateway = Gateway::serving(&guide_in_front_of(&users, &orders, &products));
    for (path, upstream) in [("/api/v1/users", &users), ("/api/v1/orders", &orders), ("/api/v1/products", &products)] {
        assert_eq!(gateway.get(path).status, 200, "{path}");
        assert_eq!(upstream.count(), 1, "{path}");
    }
    assert_eq!(gateway.get("/api/v1/other").status, 404);
}

#[test]
fn s30_format_version_is_required() {
    for document in
        ["services: []\n", "_format_version: \"2.0\"\n", "_format_version: \"4.0\"\n", "_format_version: true\n"]
    {
        let failure = Gateway::with(document).fails();
        assert_eq!(failure.code, Some(1), "{document}");
        assert!(failure.stderr.contains("_format_version"), "{document}: {}", failure.stderr);
    }
}

#[test]
fn s30_format_versions_of_kong_are_read() {
    let upstream = Upstream::echo();
    for version in ["1.1", "2.1", "3.0"] {
        let gateway = Gateway::serving(&proxying(&upstream).replace("3.0", version));
        assert_eq!(gateway.get("/").status, 200, "{version}");
    }
}

#[test]
fn s30_old_documents_may_write_a_regex_path_without_the_tilde() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream).replace("3.0", "1.1").replace(r#"["/"]"#, r#"['/users/\d+$']"#);
    let gateway = Gateway::serving(&document);
    assert_eq!(gateway.get("/users/12").status, 200);
    assert_eq!(gateway.get("/users/twelve").status, 404);
}

#[test]
fn s31_transform_may_be_written_or_left_out() {
    let upstream = Upstream::echo();
    for transform in ["", "_transform: true\n", "_transform: false\n"] {
        let gateway = Gateway::serving(&format!("{}{transform}", proxying(&upstream)));
        assert_eq!(gateway.get("/").status, 200, "{transform}");
    }
}

#[test]
fn s32_service_names_are_checked() {
    let gateway = empty_gateway();
    for name in ["user-service", "user.service_1~x", "größe"] {
        let document = format!("{{_format_version: '3.0', services: [{{name: {name}, url: 'http://h'}}]}}");
        assert_eq!(gateway.post_document(&document).status, 201, "{name}");
    }
    for name in ["user service", "user/service", "user@service"] {
        let document = format!("{{_format_version: '3.0', services: [{{name: {name}, url: 'http://h'}}]}}");
        let expected =
            format!("invalid value '{name}': the only accepted ascii characters are alphanumerics or ., -, _, and ~");
        let texts = refusal(&gateway, &document);
        assert!(texts.contains(&expected), "{texts}");
    }
}

#[test]
fn s32_service_names_are_unique() {
    let document = "{_format_version: '3.0', services: [{name: x, url: 'http://h'}, {name: x, url: 'http://i'}]}";
    let texts = refusal(&empty_gateway(), document);
    assert!(texts.contains("uniqueness violation: 'services' entity with name set to 'x' already declared"), "{texts}");
}

#[test]
fn s33_url_is_shorthand_for_four_fields() {
    let gateway = empty_gateway();
    let cases = [
        ("http://user-service:3000", json!(["http", "user-service", 3000, null])),
        ("http://user-service", json!(["http", "user-service", 80, null])),
        ("https://user-service", json!(["https", "user-service", 443, null])),
        ("https://user-service:8443/base", json!(["https", "user-service", 8443, "/base"])),
    ];
    for (url, expected) in cases {
        let answer =
            gateway.post_document(&format!("{{_format_version: '3.0', services: [{{name: x, url: '{url}'}}]}}"));
        let service = &accepted(&answer, "services")[0];
        assert_eq!(json!([service["protocol"], service["host"], service["port"], service["path"]]), expected, "{url}");
    }
}

#[test]
fn s34_connect_timeout_ends_in_504() {
    let hole = BlackHole::open();
    let document = proxying_to(&format!("http://{}", hole.address()), &["retries: 0", "connect_timeout: 300"]);
    let answer = Gateway::serving(&document).get("/");
    assert_eq!(answer.status, 504);
    assert!(answer.took >= Duration::from_millis(300), "{:?}", answer.took);
}

#[test]
fn s34_s35_s36_timeouts_are_milliseconds_from_1_with_a_default_of_60000() {
    let gateway = empty_gateway();
    let answer = gateway.post_document("{_format_version: '3.0', services: [{name: x, url: 'http://h'}]}");
    let service = &accepted(&answer, "services")[0];
    for field in ["connect_timeout", "write_timeout", "read_timeout"] {
        assert_eq!(service[field], 60_000, "{field}");
        for value in ["0", "2147483647"] {
            let document =
                format!("{{_format_version: '3.0', services: [{{name: x, url: 'http://h', {field}: {value}}}]}}");
            let texts = refusal(&gateway, &document);
            assert!(texts.contains("value should be between 1 and 2147483646"), "{field} {value}: {texts}");
        }
    }
}

#[test]
fn s35_write_timeout_ends_a_stalled_upload_in_504() {
    let upstream = Upstream::answering(|_| Script::stall());
    let document = proxying_to(&upstream.url(), &["retries: 0", "write_timeout: 400"]);
    let answer = Gateway::serving(&document).send(&Request::post("/", vec![b'x'; 16 << 20]));
    assert_eq!(answer.status, 504);
}

#[test]
fn s36_read_timeout_ends_in_504() {
    let upstream = Upstream::answering(|_| Script::hang());
    let document = proxying_to(&upstream.url(), &["retries: 0", "read_timeout: 300"]);
    let answer = Gateway::serving(&document).get("/");
    assert_eq!(answer.status, 504);
    assert!(answer.took >= Duration::from_millis(300), "{:?}", answer.took);
}

#[test]
fn s37_retries_are_additional_attempts() {
    for (retries, attempts) in [("retries: 0", 1), ("retries: 3", 4), ("tags: []", 6)] {
        let upstream = Upstream::answering(|_| Script::reset());
        let answer = Gateway::serving(&proxying_to(&upstream.url(), &[retries])).get("/");
        assert_eq!((answer.status, upstream.count()), (502, attempts), "{retries}");
    }
}

#[test]
fn s38_tags_are_kept_as_a_set_and_checked() {
    let gateway = empty_gateway();
    let document =
        |tags: &str| format!("{{_format_version: '3.0', services: [{{name: x, url: 'http://h', tags: {tags}}}]}}");
    let answer = gateway.post_document(&document("[internal, users, internal]"));
    assert_eq!(accepted(&answer, "services")[0]["tags"], json!(["internal", "users"]));
    let texts = refusal(&gateway, &document("['a,b']"));
    let expected = "invalid tag 'a,b': expected printable ascii (except `,` and `/`) or valid utf-8 sequences";
    assert!(texts.contains(expected), "{texts}");
}

#[test]
fn s39_a_route_names_its_service_by_name_by_id_or_by_nesting() {
    let upstream = Upstream::echo();
    let id = "8f2b1f5a-6f0e-4d7c-9a53-0b9a3f1c2d4e";
    let document = format!(
        r#"
_format_version: "3.0"
services:
- id: {id}
  name: echo
  url: {url}
  routes:
  - paths: [/nested]
routes:
- service: echo
  paths: [/name]
- service: {id}
  paths: [/id]
"#,
        url = upstream.url()
    );
    let gateway = Gateway::serving(&document);
    for path in ["/nested", "/name", "/id"] {
        assert_eq!(gateway.get(path).status, 200, "{path}");
    }
}

#[test]
fn s39_a_route_to_an_unknown_service_is_refused() {
    let document = "{_format_version: '3.0', routes: [{name: r, paths: [/], service: nope}]}";
    let texts = refusal(&empty_gateway(), document);
    assert!(texts.contains("invalid reference 'service: nope' (no such entry in 'services')"), "{texts}");
}

#[test]
fn s40_paths_are_byte_prefixes() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream).replace(r#"["/"]"#, "[/api/v1/users]"));
    for (path, status) in [
        ("/api/v1/users", 200),
        ("/api/v1/users/", 200),
        ("/api/v1/users/7?x=y", 200),
        ("/api/v1/usersX", 200),
        ("/api/v1/user", 404),
        ("/API/v1/users", 404),
    ] {
        assert_eq!(gateway.get(path).status, status, "{path}");
    }
}

#[test]
fn s41_methods_not_listed_match_no_route() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&format!("{}    methods: [GET, POST]\n", proxying(&upstream)));
    for (method, status) in
        [("GET", 200), ("POST", 200), ("PUT", 404), ("DELETE", 404), ("HEAD", 404), ("OPTIONS", 404)]
    {
        let answer = gateway.send(&Request::new(method, "/").header("Content-Length", "0"));
        assert_eq!(answer.status, status, "{method}");
    }
}

#[test]
fn s42_strip_path_defaults_to_true() {
    let [users, orders, products] = [Upstream::echo(), Upstream::echo(), Upstream::echo()];
    let gateway = Gateway::serving(&guide_in_front_of(&users, &orders, &products));
    for (request, at_upstream) in [
        ("/api/v1/orders", "/"),
        ("/api/v1/orders/7?x=y", "/7?x=y"),
        ("/api/v1/orders/", "/"),
        ("/api/v1/ordersX", "/X"),
    ] {
        gateway.get(request);
        assert_eq!(orders.last().path, at_upstream, "{request}");
        assert_eq!(orders.last().header("X-Forwarded-Prefix"), Some("/api/v1/orders"), "{request}");
    }
}

#[test]
fn s42_strip_path_false_keeps_the_path() {
    let [users, orders, products] = [Upstream::echo(), Upstream::echo(), Upstream::echo()];
    let gateway = Gateway::serving(&guide_in_front_of(&users, &orders, &products));
    gateway.get("/api/v1/users/7?x=y");
    assert_eq!(users.last().path, "/api/v1/users/7?x=y");
    assert_eq!(users.last().header("X-Forwarded-Prefix"), None);
}

#[test]
fn s43_preserve_host_sends_the_client_s_host_verbatim() {
    let [users, orders, products] = [Upstream::echo(), Upstream::echo(), Upstream::echo()];
    let gateway = Gateway::serving(&guide_in_front_of(&users, &orders, &products));
    for host in ["api.example.com", "API.example.com:8000"] {
        gateway.send(&Request::get("/api/v1/users").header("Host", host));
        assert_eq!(users.last().header("Host"), Some(host));
    }
}

#[test]
fn s43_preserve_host_defaults_to_false() {
    let [users, orders, products] = [Upstream::echo(), Upstream::echo(), Upstream::echo()];
    let gateway = Gateway::serving(&guide_in_front_of(&users, &orders, &products));
    gateway.send(&Request::get("/api/v1/orders").header("Host", "api.example.com"));
    assert_eq!(orders.last().header("Host"), Some(orders.address().to_string().as_str()));
}

#[test]
fn s47_targets_are_asked_for_their_health() {
    let [users, orders, products] = [Upstream::echo(), Upstream::echo(), Upstream::echo()];
    let target = users.address().to_string();
    let document = guide_in_front_of(&users, &orders, &products).replace("user-service-1:3000", &target);
    let gateway = Gateway::serving(&document);
    // Nobody else asks for this path, and the guide's interval is 5 s.
    let limit = Duration::from_secs(5) + SOON;
    eventually(limit, || users.requests().iter().any(|request| request.path == "/health/live"));
    let answer = gateway.post_document(GUIDE);
    let active = &accepted(&answer, "upstreams")[0]["healthchecks"]["active"];
    assert_eq!(json!([active["http_path"], active["timeout"]]), json!(["/health/live", 3]));
    assert_eq!(json!([active["healthy"]["interval"], active["healthy"]["successes"]]), json!([5, 2]));
    assert_eq!(json!([active["unhealthy"]["interval"], active["unhealthy"]["http_failures"]]), json!([5, 3]));
}

#[test]
fn s48_targets_share_requests_by_weight() {
    for (weights, shares) in [([100, 100], [10, 10]), ([100, 300], [5, 15]), ([0, 100], [0, 20])] {
        let targets = [Upstream::echo(), Upstream::echo()];
        let gateway = Gateway::with(&balanced(&targets, weights)).setting("nginx_worker_processes", "1").start();
        for _ in 0..20 {
            assert_eq!(gateway.get("/").status, 200);
        }
        assert_eq!([targets[0].count(), targets[1].count()], shares, "{weights:?}");
        assert_eq!(targets[1].last().header("Host"), Some(targets[1].address().to_string().as_str()));
    }
}

#[test]
fn s48_target_ports_and_weights_have_defaults() {
    let document = "{_format_version: '3.0', upstreams: [{name: u, targets: [{target: user-service-1}]}]}";
    let answer = empty_gateway().post_document(document);
    let target = &accepted(&answer, "targets")[0];
    assert_eq!(json!([target["target"], target["weight"]]), json!(["user-service-1:8000", 100]));
}

#[test]
fn s49_consumers_are_named_to_the_upstream() {
    let upstream = Upstream::echo();
    let document = format!(
        r#"{}
consumers:
- username: mobile-app
  custom_id: mobile-app-001
  keyauth_credentials: [{{key: secret}}]
plugins:
- name: key-auth
"#,
        proxying(&upstream)
    );
    let gateway = Gateway::serving(&document);
    assert_eq!(gateway.send(&Request::get("/").header("apikey", "secret")).status, 200);
    let received = upstream.only();
    assert_eq!(received.header("X-Consumer-Username"), Some("mobile-app"));
    assert_eq!(received.header("X-Consumer-Custom-ID"), Some("mobile-app-001"));
    assert_eq!(received.header("X-Consumer-ID").map(str::len), Some(36));
}

#[test]
fn s49_consumers_need_a_name_and_names_are_unique() {
    let gateway = empty_gateway();
    for (consumers, expected) in [
        ("[{tags: [x]}]", "at least one of these fields must be non-empty: 'custom_id', 'username'"),
        ("[{username: x}, {username: x}]", "'consumers' entity with username set to 'x' already declared"),
        ("[{custom_id: x}, {custom_id: x}]", "'consumers' entity with custom_id set to 'x' already declared"),
    ] {
        let texts = refusal(&gateway, &format!("{{_format_version: '3.0', consumers: {consumers}}}"));
        assert!(texts.contains(expected), "{consumers}: {texts}");
    }
}

#[test]
fn s50_a_missing_correlation_id_is_made_and_echoed() {
    let [users, orders, products] = [Upstream::echo(), Upstream::echo(), Upstream::echo()];
    let gateway = Gateway::serving(&guide_in_front_of(&users, &orders, &products));
    let answer = gateway.get("/api/v1/users");
    let id = answer.header("X-Correlation-ID").expect("echoed").to_owned();
    assert_eq!(users.only().header("X-Correlation-ID"), Some(id.as_str()));
    let dashes: Vec<usize> = id.match_indices('-').map(|(at, _)| at).collect();
    assert_eq!((id.len(), dashes, &id[14..15]), (36, vec![8, 13, 18, 23], "4"), "{id} is a version 4 UUID");
}

#[test]
fn s50_the_client_s_correlation_id_is_kept() {
    let [users, orders, products] = [Upstream::echo(), Upstream::echo(), Upstream::echo()];
    let gateway = Gateway::serving(&guide_in_front_of(&users, &orders, &products));
    let answer = gateway.send(&Request::get("/api/v1/users").header("X-Correlation-ID", "mine"));
    assert_eq!(answer.header("X-Correlation-ID"), Some("mine"));
    assert_eq!(users.only().header("X-Correlation-ID"), Some("mine"));
}

#[test]
fn s51_a_preflight_is_answered_by_the_gateway() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&format!("{}{}", proxying(&upstream), cors_of_the_guide()));
    let preflight = Request::new("OPTIONS", "/")
        .header("Origin", "https://app.example.com")
        .header("Access-Control-Request-Method", "PUT")
        .header("Access-Control-Request-Headers", "X-A, X-B");
    let answer = gateway.send(&preflight);
    assert_eq!((answer.status, answer.text().as_str(), upstream.count()), (200, "", 0));
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("https://app.example.com"));
    assert_eq!(answer.header("Access-Control-Allow-Credentials"), Some("true"));
    assert_eq!(answer.header("Access-Control-Allow-Methods"), Some("GET,POST,PUT,DELETE,OPTIONS"));
    assert_eq!(answer.header("Access-Control-Allow-Headers"), Some("X-A, X-B"));
    assert_eq!(answer.header("Access-Control-Max-Age"), Some("3600"));
    assert!(answer.headers.all("Vary").contains(&"Origin"));
}

#[test]
fn s51_a_single_origin_is_named_whatever_the_request_says() {
    let upstream = Upstream::answering(|_| Reply::ok("").header("Access-Control-Allow-Origin", "*"));
    let gateway = Gateway::serving(&format!("{}{}", proxying(&upstream), cors_of_the_guide()));
    for request in [Request::get("/"), Request::get("/").header("Origin", "https://evil.example.com")] {
        let answer = gateway.send(&request);
        assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("https://app.example.com"));
        assert_eq!(answer.header("Access-Control-Allow-Credentials"), Some("true"));
        assert!(answer.headers.all("Vary").contains(&"Origin"));
    }
}

/// The guide's plugin, to the letter; its alert on latencies asks for a name of Kong 2.x, which our setting keeps.
#[test]
fn s70_to_s74_what_the_guides_alerts_look_at_is_counted() {
    let [users, orders, products] = [Upstream::echo(), Upstream::echo(), Upstream::echo()];
    let plugin = "
  - name: prometheus
    config:
      per_consumer: true
      status_code_metrics: true
      latency_metrics: true
      bandwidth_metrics: true
      upstream_health_metrics: true
";
    let document = guide_in_front_of(&users, &orders, &products) + plugin;
    let gateway = Gateway::with(&document).setting("prometheus_legacy_latency", "on").start();
    assert_eq!(gateway.get("/api/v1/users").status, 200);
    let page = || gateway.ask_admin(&Request::get("/metrics")).text();
    let route = "service=\"user-service\",route=\"user-api\"";
    for series in [
        format!(
            "kong_http_requests_total{{{route},code=\"200\",source=\"service\",workspace=\"default\",consumer=\"\"}} 1"
        ),
        format!("kong_latency_bucket{{{route},type=\"request\",le=\"+Inf\"}} 1"),
        format!("kong_request_latency_ms_bucket{{{route},workspace=\"default\",le=\"+Inf\"}} 1"),
        "kong_upstream_target_health{upstream=\"user-service-upstream\",target=\"user-service-1:3000\"".to_owned(),
    ] {
        eventually(SOON, || page().lines().any(|line| line.starts_with(&series)));
    }
}

fn cors_of_the_guide() -> &'static str {
    let start = GUIDE.find("plugins:").expect("the guide has plugins");
    &GUIDE[start..]
}

/// A service on two balanced targets.
fn balanced(targets: &[Upstream; 2], weights: [u16; 2]) -> String {
    format!(
        r#"{}
upstreams:
- name: pair
  targets:
  - {{target: '{}', weight: {}}}
  - {{target: '{}', weight: {}}}
"#,
        proxying_to("http://pair", &["retries: 0"]),
        targets[0].address(),
        weights[0],
        targets[1].address(),
        weights[1],
    )
}
