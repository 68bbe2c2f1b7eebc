//! The headers that the gateway adds: who the client is, where the request came in, and what the gateway did with it.

use towergate_tests::{
    Gateway, PRODUCT, Reply, Request, Script, Upstream, answering, echoing, forwarded, proxying, proxying_to, returned,
};

const TRUSTING: &[(&str, &str)] = &[("trusted_ips", "127.0.0.0/8")];

fn is_request_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_number(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.parse::<u64>().is_ok())
}

// --- addresses --------------------------------------------------------------------------------------------------------

#[test]
fn the_client_is_named_in_x_real_ip_and_x_forwarded_for() {
    let received = forwarded(&[], &Request::get("/"));
    assert_eq!(received.header("X-Real-IP"), Some("127.0.0.1"));
    assert_eq!(received.header("X-Forwarded-For"), Some("127.0.0.1"));
}

#[test]
fn x_forwarded_for_is_continued_even_for_untrusted_peers() {
    for settings in [&[][..], TRUSTING] {
        let received = forwarded(settings, &Request::get("/").header("X-Forwarded-For", "10.0.0.1, 10.0.0.2"));
        assert_eq!(received.header("X-Forwarded-For"), Some("10.0.0.1, 10.0.0.2, 127.0.0.1"));
    }
}

#[test]
fn x_real_ip_of_an_untrusted_peer_is_replaced() {
    let received = forwarded(&[], &Request::get("/").header("X-Real-IP", "10.0.0.1"));
    assert_eq!(received.header("X-Real-IP"), Some("127.0.0.1"));
}

#[test]
fn x_real_ip_of_a_trusted_peer_is_the_client() {
    let received = forwarded(TRUSTING, &Request::get("/").header("X-Real-IP", "10.0.0.1"));
    assert_eq!(received.header("X-Real-IP"), Some("10.0.0.1"));
}

#[test]
fn real_ip_header_may_be_x_forwarded_for_and_means_its_last_address() {
    let settings = [TRUSTING[0], ("real_ip_header", "X-Forwarded-For")];
    let received = forwarded(&settings, &Request::get("/").header("X-Forwarded-For", "10.0.0.1, 10.0.0.2"));
    assert_eq!(received.header("X-Real-IP"), Some("10.0.0.2"));
    assert_eq!(received.header("X-Forwarded-For"), Some("10.0.0.1, 10.0.0.2, 127.0.0.1"));
}

#[test]
fn real_ip_recursive_means_the_last_untrusted_address() {
    let settings =
        [("trusted_ips", "127.0.0.0/8,10.0.0.2"), ("real_ip_header", "X-Forwarded-For"), ("real_ip_recursive", "on")];
    let request = Request::get("/").header("X-Forwarded-For", "10.0.0.9, 10.0.0.1, 10.0.0.2");
    assert_eq!(forwarded(&settings, &request).header("X-Real-IP"), Some("10.0.0.1"));
}

// --- X-Forwarded-* ----------------------------------------------------------------------------------------------------

const CLAIMS: [(&str, &str); 5] = [
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "shop.example.com"),
    ("X-Forwarded-Port", "443"),
    ("X-Forwarded-Path", "/before"),
    ("X-Forwarded-Prefix", "/shop"),
];

fn claiming() -> Request {
    let request = Request::get("/here?x=y").header("Host", "api.example.com:9999");
    CLAIMS.iter().fold(request, |request, (name, value)| request.header(name, value))
}

#[test]
fn forwarding_claims_of_an_untrusted_peer_are_replaced() {
    let (upstream, gateway) = echoing(&[]);
    gateway.send(&claiming());
    let received = upstream.only();
    assert_eq!(received.header("X-Forwarded-Proto"), Some("http"));
    assert_eq!(received.header("X-Forwarded-Host"), Some("api.example.com"));
    assert_eq!(received.header("X-Forwarded-Port"), Some(gateway.proxy().port().to_string().as_str()));
    assert_eq!(received.header("X-Forwarded-Path"), Some("/here"));
    assert_eq!(received.header("X-Forwarded-Prefix"), None);
}

#[test]
fn forwarding_claims_on_several_lines_are_all_replaced() {
    let request = CLAIMS.iter().fold(claiming(), |request, (name, value)| request.header(name, value));
    let received = forwarded(&[], &request);
    for (name, claim) in CLAIMS {
        assert_ne!(received.header(name), Some(claim), "{name}");
    }
}

#[test]
fn forwarding_claims_of_a_trusted_peer_are_kept() {
    let received = forwarded(TRUSTING, &claiming());
    for (name, claim) in CLAIMS {
        assert_eq!(received.header(name), Some(claim), "{name}");
    }
}

#[test]
fn a_trusted_peer_that_claims_nothing_is_described_itself() {
    let (upstream, gateway) = echoing(TRUSTING);
    gateway.send(&Request::get("/here?x=y").header("Host", "api.example.com"));
    let received = upstream.only();
    assert_eq!(received.header("X-Forwarded-Proto"), Some("http"));
    assert_eq!(received.header("X-Forwarded-Host"), Some("api.example.com"));
    assert_eq!(received.header("X-Forwarded-Port"), Some(gateway.proxy().port().to_string().as_str()));
    assert_eq!(received.header("X-Forwarded-Path"), Some("/here"));
    assert_eq!(received.header("X-Forwarded-Prefix"), None);
}

#[test]
fn x_forwarded_port_is_the_mapped_port() {
    let upstream = Upstream::echo();
    let setup = Gateway::with(&proxying(&upstream));
    // The port is known before the start only through another gateway that had it.
    let mut first = setup.start();
    let port = first.proxy().port();
    first.terminate();
    let maps = format!("8443:{port}, 80:1");
    let second = Gateway::with(&proxying(&upstream)).on_the_ports_of(&first).setting("port_maps", &maps).start();
    second.get("/");
    assert_eq!(upstream.only().header("X-Forwarded-Port"), Some("8443"));
}

#[test]
fn x_forwarded_prefix_is_what_strip_path_took() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream).replace(r#"["/"]"#, "[/shop]").replace("strip_path: false", "strip_path: true");
    let gateway = Gateway::serving(&document);
    gateway.get("/shop/cart");
    let received = upstream.only();
    assert_eq!(received.path, "/cart");
    assert_eq!(received.header("X-Forwarded-Prefix"), Some("/shop"));
    assert_eq!(received.header("X-Forwarded-Path"), Some("/shop/cart"));
}

#[test]
fn x_forwarded_prefix_is_absent_when_the_root_was_stripped() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream).replace("strip_path: false", "strip_path: true"));
    gateway.get("/cart");
    assert_eq!(upstream.only().header("X-Forwarded-Prefix"), None);
}

// --- Host -------------------------------------------------------------------------------------------------------------

#[test]
fn host_is_the_service_s_address() {
    let (upstream, gateway) = echoing(&[]);
    gateway.send(&Request::get("/").header("Host", "api.example.com"));
    assert_eq!(upstream.only().header("Host"), Some(upstream.address().to_string().as_str()));
}

#[test]
fn host_is_the_client_s_with_preserve_host() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&format!("{}    preserve_host: true\n", proxying(&upstream)));
    gateway.send(&Request::get("/").header("Host", "API.example.com:9999"));
    assert_eq!(upstream.only().header("Host"), Some("API.example.com:9999"));
}

#[test]
fn host_is_the_upstream_s_host_header_unless_the_client_s_is_preserved() {
    let upstream = Upstream::echo();
    // Kong puts the target's port behind the name unless it is the scheme's own.
    let inner = format!("inner.example.com:{}", upstream.address().port());
    for (preserve, expected) in [("false", inner.as_str()), ("true", "gateway.test")] {
        let document = format!(
            "{}    preserve_host: {preserve}\nupstreams:\n- name: group\n  host_header: inner.example.com\n  targets: [{{target: '{}'}}]\n",
            proxying_to("http://group", &["retries: 0"]),
            upstream.address()
        );
        Gateway::serving(&document).get("/");
        assert_eq!(upstream.last().header("Host"), Some(expected));
    }
}

// --- Via, Server, identifiers -----------------------------------------------------------------------------------------

#[test]
fn via_of_the_request_names_the_gateway_after_those_before() {
    let own = format!("1.1 {PRODUCT}");
    assert_eq!(forwarded(&[], &Request::get("/")).header("Via"), Some(own.as_str()));
    let received = forwarded(&[], &Request::get("/").header("Via", "1.0 fred, 1.1 edge"));
    assert_eq!(received.header("Via"), Some(format!("1.0 fred, 1.1 edge, {own}").as_str()));
}

#[test]
fn via_of_the_request_has_the_client_s_http_version() {
    let (upstream, gateway) = echoing(&[]);
    assert_eq!(gateway.send_raw("GET / HTTP/1.0\r\nHost: gateway.test\r\n\r\n").status, 200);
    assert_eq!(upstream.only().header("Via"), Some(format!("1.0 {PRODUCT}").as_str()));
    assert_eq!(upstream.only().version, "HTTP/1.1");
}

#[test]
fn via_of_the_answer_names_the_gateway_after_those_before() {
    let own = format!("1.1 {PRODUCT}");
    assert_eq!(returned(&[], Reply::ok("")).header("Via"), Some(own.as_str()));
    let answer = returned(&[], Reply::ok("").header("Via", "1.0 fred"));
    assert_eq!(answer.header("Via"), Some(format!("1.0 fred, {own}").as_str()));
}

#[test]
fn server_is_the_upstream_s_or_else_the_gateway_s() {
    assert_eq!(returned(&[], Reply::ok("").header("Server", "shop/2")).header("Server"), Some("shop/2"));
    assert_eq!(returned(&[], Reply::ok("")).header("Server"), Some(PRODUCT));
}

#[test]
fn server_of_the_gateway_s_own_answers_is_the_gateway() {
    let gateway = Gateway::serving("_format_version: \"3.0\"\n");
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.header("Server")), (404, Some(PRODUCT)));
    assert_eq!(answer.header("Via"), None);
}

#[test]
fn server_token_says_who_we_are() {
    let settings = [("server_token", "kong/3.9.3")];
    let (upstream, gateway) = echoing(&settings);
    let answer = gateway.get("/");
    assert_eq!(answer.header("Server"), Some("kong/3.9.3"));
    assert_eq!(answer.header("Via"), Some("1.1 kong/3.9.3"));
    assert_eq!(upstream.only().header("Via"), Some("1.1 kong/3.9.3"));
}

#[test]
fn the_request_id_is_the_same_on_both_sides_and_new_each_time() {
    let (upstream, gateway) = echoing(&[]);
    let ids = [gateway.get("/"), gateway.get("/")].map(|answer| answer.header("X-Kong-Request-Id").unwrap().to_owned());
    assert!(ids.iter().all(|id| is_request_id(id)), "{ids:?}");
    assert_ne!(ids[0], ids[1]);
    assert_eq!(upstream.requests()[0].header("X-Kong-Request-Id"), Some(ids[0].as_str()));
}

#[test]
fn a_request_id_made_up_by_the_client_does_not_count() {
    let claim = "0123456789abcdef0123456789abcdef";
    let received = forwarded(&[], &Request::get("/").header("X-Kong-Request-Id", claim));
    assert_ne!(received.header("X-Kong-Request-Id"), Some(claim));
}

// --- latencies and the settings that choose headers -------------------------------------------------------------------

#[test]
fn proxied_answers_tell_two_latencies() {
    let answer = returned(&[], Reply::ok(""));
    assert!(is_number(answer.header("X-Kong-Upstream-Latency")), "{:?}", answer.headers);
    assert!(is_number(answer.header("X-Kong-Proxy-Latency")), "{:?}", answer.headers);
    assert_eq!(answer.header("X-Kong-Response-Latency"), None);
    assert_eq!(answer.header("X-Kong-Upstream-Status"), None);
}

#[test]
fn own_answers_tell_one_latency() {
    let answer = Gateway::serving("_format_version: \"3.0\"\n").get("/");
    assert!(is_number(answer.header("X-Kong-Response-Latency")), "{:?}", answer.headers);
    assert_eq!(answer.header("X-Kong-Upstream-Latency"), None);
    assert_eq!(answer.header("X-Kong-Proxy-Latency"), None);
}

#[test]
fn upstream_latency_is_milliseconds() {
    let (_upstream, gateway) =
        answering(&[], |_| Script::from(Reply::ok("")).after(std::time::Duration::from_millis(300)));
    let answer = gateway.get("/");
    let told: u128 = answer.header("X-Kong-Upstream-Latency").unwrap().parse().unwrap();
    assert!((300..=answer.took.as_millis()).contains(&told), "{told} ms of {:?}", answer.took);
}

/// The headers of a proxied answer that a `headers` setting decides on, sorted.
fn chosen(setting: &str) -> Vec<String> {
    let answer = returned(&[("headers", setting)], Reply::ok(""));
    let mut names: Vec<String> = answer.headers.names().iter().map(|name| name.to_lowercase()).collect();
    names.retain(|name| name.starts_with("x-kong-") || ["server", "via"].contains(&name.as_str()));
    names.sort_unstable();
    names
}

#[test]
fn headers_chooses_what_a_proxied_answer_tells() {
    for (setting, expected) in [
        ("off", vec![]),
        ("server_tokens", vec!["server", "via"]),
        ("latency_tokens", vec!["x-kong-proxy-latency", "x-kong-upstream-latency"]),
        ("X-Kong-Upstream-Status", vec!["x-kong-upstream-status"]),
        ("x-kong-request-id, Via", vec!["via", "x-kong-request-id"]),
        ("X-Kong-Proxy-Latency", vec!["x-kong-proxy-latency"]),
    ] {
        assert_eq!(chosen(setting), expected, "{setting}");
    }
}

#[test]
fn headers_off_leaves_the_upstream_s_own_headers_alone() {
    let reply = Reply::ok("").header("Server", "shop/2").header("Via", "1.0 fred");
    let answer = returned(&[("headers", "off")], reply);
    assert_eq!((answer.header("Server"), answer.header("Via")), (Some("shop/2"), Some("1.0 fred")));
}

#[test]
fn headers_off_silences_own_answers_too() {
    let answer = Gateway::with("_format_version: \"3.0\"\n").setting("headers", "off").start().get("/");
    assert_eq!(answer.status, 404);
    for name in ["Server", "Via", "X-Kong-Response-Latency", "X-Kong-Request-Id"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[test]
fn upstream_status_is_told_when_asked_for() {
    let answer = returned(&[("headers", "X-Kong-Upstream-Status")], Reply::new(418));
    assert_eq!((answer.status, answer.header("X-Kong-Upstream-Status")), (418, Some("418")));
}

#[test]
fn headers_upstream_off_sends_no_request_id() {
    assert_eq!(forwarded(&[("headers_upstream", "off")], &Request::get("/")).header("X-Kong-Request-Id"), None);
}

#[test]
fn an_unknown_name_in_headers_is_refused_at_the_start() {
    let failure = Gateway::with("_format_version: \"3.0\"\n").setting("headers", "X-Nonsense").fails();
    assert_eq!(failure.code, Some(1));
    assert!(failure.stderr.contains("headers") && failure.stderr.contains("X-Nonsense"), "{}", failure.stderr);
}
