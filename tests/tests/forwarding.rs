//! What a request looks like at the upstream and an answer at the client: every header the gateway sets, changes or removes.

use towergate_tests::{
    Answer, Connection, Gateway, LAST_CHUNK, PRODUCT, Received, Reply, Request, SOON, Script,
    Upstream, chunk, eventually, proxying, proxying_to,
};

/// An echoing upstream behind a gateway with these settings.
fn echoing(settings: &[(&str, &str)]) -> (Upstream, Gateway) {
    answering(settings, |_| Script::echo())
}

fn answering<S: Into<Script>>(
    settings: &[(&str, &str)],
    script: impl Fn(&Received) -> S + Send + Sync + 'static,
) -> (Upstream, Gateway) {
    let upstream = Upstream::answering(script);
    let setup = Gateway::with(&proxying(&upstream));
    let gateway = settings
        .iter()
        .fold(setup, |setup, (key, value)| setup.setting(key, value))
        .start();
    (upstream, gateway)
}

/// What the upstream receives when the client sends this.
#[track_caller]
fn forwarded(settings: &[(&str, &str)], request: &Request) -> Received {
    let (upstream, gateway) = echoing(settings);
    let answer = gateway.send(request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    upstream.only()
}

/// What the client receives when the upstream sends this.
#[track_caller]
fn returned(settings: &[(&str, &str)], reply: Reply) -> Answer {
    let (_upstream, gateway) = answering(settings, move |_| reply.clone());
    gateway.get("/")
}

const TRUSTING: &[(&str, &str)] = &[("trusted_ips", "127.0.0.0/8")];

fn is_request_id(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_number(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.parse::<u64>().is_ok())
}

// --- addresses -----------------------------------------------------------------------------------------------------------

#[test]
fn the_client_is_named_in_x_real_ip_and_x_forwarded_for() {
    let received = forwarded(&[], &Request::get("/"));
    assert_eq!(received.header("X-Real-IP"), Some("127.0.0.1"));
    assert_eq!(received.header("X-Forwarded-For"), Some("127.0.0.1"));
}

#[test]
fn x_forwarded_for_is_continued_even_for_untrusted_peers() {
    for settings in [&[][..], TRUSTING] {
        let received = forwarded(
            settings,
            &Request::get("/").header("X-Forwarded-For", "10.0.0.1, 10.0.0.2"),
        );
        assert_eq!(
            received.header("X-Forwarded-For"),
            Some("10.0.0.1, 10.0.0.2, 127.0.0.1")
        );
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
    let received = forwarded(
        &settings,
        &Request::get("/").header("X-Forwarded-For", "10.0.0.1, 10.0.0.2"),
    );
    assert_eq!(received.header("X-Real-IP"), Some("10.0.0.2"));
    assert_eq!(
        received.header("X-Forwarded-For"),
        Some("10.0.0.1, 10.0.0.2, 127.0.0.1")
    );
}

#[test]
fn real_ip_recursive_means_the_last_untrusted_address() {
    let settings = [
        ("trusted_ips", "127.0.0.0/8,10.0.0.2"),
        ("real_ip_header", "X-Forwarded-For"),
        ("real_ip_recursive", "on"),
    ];
    let request = Request::get("/").header("X-Forwarded-For", "10.0.0.9, 10.0.0.1, 10.0.0.2");
    assert_eq!(
        forwarded(&settings, &request).header("X-Real-IP"),
        Some("10.0.0.1")
    );
}

// --- X-Forwarded-* -------------------------------------------------------------------------------------------------------

const CLAIMS: [(&str, &str); 5] = [
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "shop.example.com"),
    ("X-Forwarded-Port", "443"),
    ("X-Forwarded-Path", "/before"),
    ("X-Forwarded-Prefix", "/shop"),
];

fn claiming() -> Request {
    let request = Request::get("/here?x=y").header("Host", "api.example.com:9999");
    CLAIMS.iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    })
}

#[test]
fn forwarding_claims_of_an_untrusted_peer_are_replaced() {
    let (upstream, gateway) = echoing(&[]);
    gateway.send(&claiming());
    let received = upstream.only();
    assert_eq!(received.header("X-Forwarded-Proto"), Some("http"));
    assert_eq!(received.header("X-Forwarded-Host"), Some("api.example.com"));
    assert_eq!(
        received.header("X-Forwarded-Port"),
        Some(gateway.proxy().port().to_string().as_str())
    );
    assert_eq!(received.header("X-Forwarded-Path"), Some("/here"));
    assert_eq!(received.header("X-Forwarded-Prefix"), None);
}

#[test]
fn forwarding_claims_on_several_lines_are_all_replaced() {
    let request = CLAIMS.iter().fold(claiming(), |request, (name, value)| {
        request.header(name, value)
    });
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
    assert_eq!(
        received.header("X-Forwarded-Port"),
        Some(gateway.proxy().port().to_string().as_str())
    );
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
    let second = Gateway::with(&proxying(&upstream))
        .on_the_ports_of(&first)
        .setting("port_maps", &maps)
        .start();
    second.get("/");
    assert_eq!(upstream.only().header("X-Forwarded-Port"), Some("8443"));
}

#[test]
fn x_forwarded_prefix_is_what_strip_path_took() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream)
        .replace(r#"["/"]"#, "[/shop]")
        .replace("strip_path: false", "strip_path: true");
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
    let gateway =
        Gateway::serving(&proxying(&upstream).replace("strip_path: false", "strip_path: true"));
    gateway.get("/cart");
    assert_eq!(upstream.only().header("X-Forwarded-Prefix"), None);
}

// --- Host ----------------------------------------------------------------------------------------------------------------

#[test]
fn host_is_the_service_s_address() {
    let (upstream, gateway) = echoing(&[]);
    gateway.send(&Request::get("/").header("Host", "api.example.com"));
    assert_eq!(
        upstream.only().header("Host"),
        Some(upstream.address().to_string().as_str())
    );
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
    for (preserve, expected) in [("false", "inner.example.com"), ("true", "gateway.test")] {
        let upstream = Upstream::echo();
        let document = format!(
            "{}    preserve_host: {preserve}\nupstreams:\n- name: group\n  host_header: inner.example.com\n  targets: [{{target: '{}'}}]\n",
            proxying_to("http://group", &["retries: 0"]),
            upstream.address()
        );
        Gateway::serving(&document).get("/");
        assert_eq!(upstream.only().header("Host"), Some(expected));
    }
}

// --- Via, Server, identifiers --------------------------------------------------------------------------------------------

#[test]
fn via_of_the_request_names_the_gateway_after_those_before() {
    let own = format!("1.1 {PRODUCT}");
    assert_eq!(
        forwarded(&[], &Request::get("/")).header("Via"),
        Some(own.as_str())
    );
    let received = forwarded(&[], &Request::get("/").header("Via", "1.0 fred, 1.1 edge"));
    assert_eq!(
        received.header("Via"),
        Some(format!("1.0 fred, 1.1 edge, {own}").as_str())
    );
}

#[test]
fn via_of_the_request_has_the_client_s_http_version() {
    let (upstream, gateway) = echoing(&[]);
    assert_eq!(
        gateway
            .send_raw("GET / HTTP/1.0\r\nHost: gateway.test\r\n\r\n")
            .status,
        200
    );
    assert_eq!(
        upstream.only().header("Via"),
        Some(format!("1.0 {PRODUCT}").as_str())
    );
    assert_eq!(upstream.only().version, "HTTP/1.1");
}

#[test]
fn via_of_the_answer_names_the_gateway_after_those_before() {
    let own = format!("1.1 {PRODUCT}");
    assert_eq!(
        returned(&[], Reply::ok("")).header("Via"),
        Some(own.as_str())
    );
    let answer = returned(&[], Reply::ok("").header("Via", "1.0 fred"));
    assert_eq!(
        answer.header("Via"),
        Some(format!("1.0 fred, {own}").as_str())
    );
}

#[test]
fn server_is_the_upstream_s_or_else_the_gateway_s() {
    assert_eq!(
        returned(&[], Reply::ok("").header("Server", "shop/2")).header("Server"),
        Some("shop/2")
    );
    assert_eq!(returned(&[], Reply::ok("")).header("Server"), Some(PRODUCT));
}

#[test]
fn server_of_the_gateway_s_own_answers_is_the_gateway() {
    let gateway = Gateway::serving("_format_version: \"3.0\"\n");
    let answer = gateway.get("/");
    assert_eq!(
        (answer.status, answer.header("Server")),
        (404, Some(PRODUCT))
    );
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
    let ids = [gateway.get("/"), gateway.get("/")]
        .map(|answer| answer.header("X-Kong-Request-Id").unwrap().to_owned());
    assert!(ids.iter().all(|id| is_request_id(id)), "{ids:?}");
    assert_ne!(ids[0], ids[1]);
    assert_eq!(
        upstream.requests()[0].header("X-Kong-Request-Id"),
        Some(ids[0].as_str())
    );
}

#[test]
fn a_request_id_made_up_by_the_client_does_not_count() {
    let claim = "0123456789abcdef0123456789abcdef";
    let received = forwarded(&[], &Request::get("/").header("X-Kong-Request-Id", claim));
    assert_ne!(received.header("X-Kong-Request-Id"), Some(claim));
}

// --- latencies and the settings that choose headers ----------------------------------------------------------------------

#[test]
fn proxied_answers_tell_two_latencies() {
    let answer = returned(&[], Reply::ok(""));
    assert!(
        is_number(answer.header("X-Kong-Upstream-Latency")),
        "{:?}",
        answer.headers
    );
    assert!(
        is_number(answer.header("X-Kong-Proxy-Latency")),
        "{:?}",
        answer.headers
    );
    assert_eq!(answer.header("X-Kong-Response-Latency"), None);
    assert_eq!(answer.header("X-Kong-Upstream-Status"), None);
}

#[test]
fn own_answers_tell_one_latency() {
    let answer = Gateway::serving("_format_version: \"3.0\"\n").get("/");
    assert!(
        is_number(answer.header("X-Kong-Response-Latency")),
        "{:?}",
        answer.headers
    );
    assert_eq!(answer.header("X-Kong-Upstream-Latency"), None);
    assert_eq!(answer.header("X-Kong-Proxy-Latency"), None);
}

#[test]
fn upstream_latency_is_milliseconds() {
    let (_upstream, gateway) = answering(&[], |_| {
        Script::from(Reply::ok("")).after(std::time::Duration::from_millis(300))
    });
    let answer = gateway.get("/");
    let told: u128 = answer
        .header("X-Kong-Upstream-Latency")
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        (300..=answer.took.as_millis()).contains(&told),
        "{told} ms of {:?}",
        answer.took
    );
}

/// The headers of a proxied answer that a `headers` setting decides on, sorted.
fn chosen(setting: &str) -> Vec<String> {
    let answer = returned(&[("headers", setting)], Reply::ok(""));
    let mut names: Vec<String> = answer
        .headers
        .names()
        .iter()
        .map(|name| name.to_lowercase())
        .collect();
    names.retain(|name| name.starts_with("x-kong-") || ["server", "via"].contains(&name.as_str()));
    names.sort_unstable();
    names
}

#[test]
fn headers_chooses_what_a_proxied_answer_tells() {
    for (setting, expected) in [
        ("off", vec![]),
        ("server_tokens", vec!["server", "via"]),
        (
            "latency_tokens",
            vec!["x-kong-proxy-latency", "x-kong-upstream-latency"],
        ),
        ("X-Kong-Upstream-Status", vec!["x-kong-upstream-status"]),
        ("x-kong-request-id, Via", vec!["via", "x-kong-request-id"]),
        ("X-Kong-Proxy-Latency", vec!["x-kong-proxy-latency"]),
    ] {
        assert_eq!(chosen(setting), expected, "{setting}");
    }
}

#[test]
fn headers_off_leaves_the_upstream_s_own_headers_alone() {
    let reply = Reply::ok("")
        .header("Server", "shop/2")
        .header("Via", "1.0 fred");
    let answer = returned(&[("headers", "off")], reply);
    assert_eq!(
        (answer.header("Server"), answer.header("Via")),
        (Some("shop/2"), Some("1.0 fred"))
    );
}

#[test]
fn headers_off_silences_own_answers_too() {
    let answer = Gateway::with("_format_version: \"3.0\"\n")
        .setting("headers", "off")
        .start()
        .get("/");
    assert_eq!(answer.status, 404);
    for name in [
        "Server",
        "Via",
        "X-Kong-Response-Latency",
        "X-Kong-Request-Id",
    ] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[test]
fn upstream_status_is_told_when_asked_for() {
    let answer = returned(&[("headers", "X-Kong-Upstream-Status")], Reply::new(418));
    assert_eq!(
        (answer.status, answer.header("X-Kong-Upstream-Status")),
        (418, Some("418"))
    );
}

#[test]
fn headers_upstream_off_sends_no_request_id() {
    assert_eq!(
        forwarded(&[("headers_upstream", "off")], &Request::get("/")).header("X-Kong-Request-Id"),
        None
    );
}

#[test]
fn an_unknown_name_in_headers_is_refused_at_the_start() {
    let failure = Gateway::with("_format_version: \"3.0\"\n")
        .setting("headers", "X-Nonsense")
        .fails();
    assert_eq!(failure.code, Some(1));
    assert!(
        failure.stderr.contains("headers") && failure.stderr.contains("X-Nonsense"),
        "{}",
        failure.stderr
    );
}

// --- hop by hop, towards the upstream ------------------------------------------------------------------------------------

#[test]
fn connection_towards_the_upstream_is_the_gateway_s_own() {
    for connection in ["close", "keep-alive", "X-Private", "Upgrade"] {
        let received = forwarded(&[], &Request::get("/").header("Connection", connection));
        assert_eq!(
            received.header("Connection"),
            Some("keep-alive"),
            "{connection}"
        );
    }
}

#[test]
fn hop_by_hop_headers_of_the_client_stay_with_the_gateway() {
    let names = [
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy",
        "Upgrade",
        "HTTP2-Settings",
        "X-Listed",
    ];
    let request = Request::get("/")
        .header("Connection", "X-Private, HTTP2-Settings, X-Listed")
        .header("X-Private", "1")
        .header("x-private", "2");
    let request = names
        .iter()
        .fold(request, |request, name| request.header(name, "h2c"));
    let received = forwarded(&[], &request);
    for name in names.iter().chain(&["X-Private"]) {
        assert!(
            !received.headers.has(name),
            "{name}: {:?}",
            received.headers
        );
    }
}

#[test]
fn a_connection_list_cannot_remove_what_the_gateway_has_set() {
    let set = [
        "Host",
        "Via",
        "X-Real-IP",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Path",
        "X-Kong-Request-Id",
    ];
    let received = forwarded(
        &[],
        &Request::get("/").header("Connection", &format!("close, {}", set.join(", "))),
    );
    for name in set {
        assert!(received.headers.has(name), "{name}: {:?}", received.headers);
    }
}

#[test]
fn a_connection_list_cannot_remove_the_framing() {
    let request =
        Request::post("/", "hello").header("Connection", "Content-Length, Transfer-Encoding");
    let received = forwarded(&[], &request);
    assert_eq!(
        (received.body.as_slice(), received.header("Content-Length")),
        (&b"hello"[..], Some("5"))
    );
}

#[test]
fn te_is_reduced_to_trailers() {
    for (te, expected) in [
        ("trailers", Some("trailers")),
        ("deflate, trailers", Some("trailers")),
        ("gzip", None),
    ] {
        let received = forwarded(
            &[],
            &Request::get("/")
                .header("TE", te)
                .header("Connection", "TE"),
        );
        assert_eq!(received.header("TE"), expected, "{te}");
    }
}

#[test]
fn only_a_websocket_upgrade_is_passed_on() {
    for (upgrade, connection, expected) in [
        ("websocket", "keep-alive, Upgrade", Some("websocket")),
        ("WebSocket", "keep-alive, Upgrade", Some("websocket")),
        ("h2c", "keep-alive", None),
    ] {
        let request = Request::get("/")
            .header("Connection", "Upgrade")
            .header("Upgrade", upgrade);
        let received = forwarded(&[], &request);
        assert_eq!(received.header("Connection"), Some(connection), "{upgrade}");
        assert_eq!(
            received.header("Upgrade").map(str::to_lowercase).as_deref(),
            expected,
            "{upgrade}"
        );
    }
}

#[test]
fn a_websocket_becomes_a_tunnel_after_101() {
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
    let (upstream, gateway) = answering(&[], move |_| Script::raw(switch).then_tunnel());
    let mut connection = gateway.connect();
    let request = Request::get("/")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket");
    let answer = connection.request(&request.header("Sec-WebSocket-Key", "k"));
    assert_eq!(
        (answer.status, answer.header("Upgrade")),
        (101, Some("websocket"))
    );
    assert_eq!(answer.header("Sec-WebSocket-Accept"), Some("x"));
    connection.send("over and out");
    assert_eq!(connection.read_until("out"), "over and out");
    drop(connection);
    eventually(SOON, || upstream.open_connections() == 0);
}

#[test]
fn bytes_after_an_upgrade_request_are_no_tunnel_before_101() {
    let (upstream, gateway) = echoing(&[]);
    let mut connection = gateway.connect();
    let upgrade = Request::get("/first")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket");
    connection.send([upgrade.bytes(), Request::get("/second").bytes()].concat());
    assert_eq!(connection.answer().json()["path"], "/first");
    // The second request is a request of its own, with the gateway's headers, or the connection ends; never raw bytes.
    if let Ok(answer) = connection.try_answer() {
        assert_eq!(answer.json()["path"], "/second");
    }
    for request in upstream.requests() {
        assert!(request.headers.has("X-Forwarded-For"), "{request:?}");
    }
}

#[test]
fn expect_is_answered_by_the_gateway_and_not_passed_on() {
    let (upstream, gateway) = echoing(&[]);
    let mut connection = gateway.connect();
    connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(connection.head(), 100);
    connection.send("hello");
    assert_eq!(connection.answer().status, 200);
    assert_eq!(
        (upstream.only().header("Expect"), upstream.only().body),
        (None, b"hello".to_vec())
    );
}

#[test]
fn a_buffered_upload_gets_its_length() {
    let (upstream, gateway) = echoing(&[]);
    let mut connection = gateway.connect();
    connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send([chunk("hel"), chunk("lo"), LAST_CHUNK.to_vec()].concat());
    assert_eq!(connection.answer().status, 200);
    let received = upstream.only();
    assert_eq!(
        (
            received.header("Content-Length"),
            received.header("Transfer-Encoding")
        ),
        (Some("5"), None)
    );
    assert_eq!(received.body, b"hello");
}

#[test]
fn an_unbuffered_chunked_upload_stays_chunked() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&format!(
        "{}    request_buffering: false\n",
        proxying(&upstream)
    ));
    let mut connection = gateway.connect();
    connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send([chunk("hel"), chunk("lo"), LAST_CHUNK.to_vec()].concat());
    assert_eq!(connection.answer().status, 200);
    let received = upstream.only();
    assert_eq!(
        (
            received.header("Content-Length"),
            received.header("Transfer-Encoding")
        ),
        (None, Some("chunked"))
    );
    assert_eq!(received.body, b"hello");
}

// --- hop by hop, towards the client --------------------------------------------------------------------------------------

#[test]
fn hop_by_hop_headers_of_the_upstream_stay_with_the_gateway() {
    let reply = Reply::ok("hello")
        .header("Connection", "keep-alive, X-Private")
        .header("X-Private", "1")
        .header("x-private", "2")
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Connection", "keep-alive")
        .header("Upgrade", "h2c")
        .header("Trailer", "X-Sum");
    let answer = returned(&[], reply);
    for name in [
        "X-Private",
        "Keep-Alive",
        "Proxy-Connection",
        "Upgrade",
        "Trailer",
    ] {
        assert!(!answer.headers.has(name), "{name}: {:?}", answer.headers);
    }
    assert_eq!(answer.text(), "hello");
}

#[test]
fn a_connection_list_of_the_upstream_cannot_remove_framing_or_what_the_gateway_sets() {
    let list = "Content-Length, Via, X-Kong-Request-Id, X-Kong-Upstream-Latency";
    let answer = returned(&[], Reply::ok("hello").header("Connection", list));
    assert_eq!(answer.text(), "hello");
    assert_eq!(answer.header("Content-Length"), Some("5"));
    for name in ["Via", "X-Kong-Request-Id", "X-Kong-Upstream-Latency"] {
        assert!(answer.headers.has(name), "{name}: {:?}", answer.headers);
    }
}

#[test]
fn an_upstream_that_closes_does_not_close_the_client() {
    let (upstream, gateway) = answering(&[], |_| {
        Script::from(Reply::ok("").header("Connection", "close")).then_close()
    });
    let mut connection = gateway.connect();
    for _ in 0..3 {
        let answer = connection.request(&Request::get("/"));
        assert_eq!(
            (answer.status, answer.header("Connection") != Some("close")),
            (200, true)
        );
    }
    assert_eq!(upstream.accepted(), 3);
}

#[test]
fn a_client_that_closes_does_not_close_the_upstream() {
    let (upstream, gateway) = echoing(&[("nginx_worker_processes", "1")]);
    for _ in 0..5 {
        let mut connection = gateway.connect();
        assert_eq!(
            connection
                .request(&Request::get("/").header("Connection", "close"))
                .status,
            200
        );
        assert_eq!(connection.drained(), b"");
    }
    assert_eq!(upstream.accepted(), 1);
}

#[test]
fn bodies_without_a_length_reach_the_client_whole() {
    let head = Reply::new(200).head_only();
    let chunked = head.clone().header("Transfer-Encoding", "chunked").bytes();
    let chunked = Script::raw([chunked, chunk("hel"), chunk("lo"), LAST_CHUNK.to_vec()].concat());
    let closed = Script::raw([head.bytes(), b"hello".to_vec()].concat()).then_close();
    for script in [chunked, closed] {
        let (_upstream, gateway) = answering(&[], move |_| script.clone());
        let answer = gateway.get("/");
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
        assert_eq!(answer.header("Transfer-Encoding"), Some("chunked"));
    }
}

#[test]
fn an_http_1_0_client_gets_no_chunks() {
    let head = Reply::new(200)
        .head_only()
        .header("Transfer-Encoding", "chunked")
        .bytes();
    let (_upstream, gateway) = answering(&[], move |_| {
        Script::raw([head.clone(), chunk("hello"), LAST_CHUNK.to_vec()].concat())
    });
    let answer = gateway.send_raw("GET / HTTP/1.0\r\nHost: gateway.test\r\n\r\n");
    assert_eq!(
        (answer.header("Transfer-Encoding"), answer.text().as_str()),
        (None, "hello")
    );
}

// --- everything else is left alone ---------------------------------------------------------------------------------------

#[test]
fn other_headers_of_the_request_keep_order_duplicates_and_case() {
    let sent = [
        ("Cookie", "a=1; b=2"),
        ("X-Zulu", "1"),
        ("Authorization", "Basic eDp5"),
        ("x-alpha", "2"),
        ("X-Zulu", "3"),
        ("Accept-Encoding", "gzip, br"),
        ("User-Agent", "tests/1"),
        ("under_score", "kept"),
        ("X-Empty", ""),
        ("Cookie", "c=3"),
    ];
    let received = forwarded(
        &[],
        &sent
            .iter()
            .fold(Request::get("/"), |request, (name, value)| {
                request.header(name, value)
            }),
    );
    let names: Vec<&str> = sent.iter().map(|(name, _)| *name).collect();
    let arrived: Vec<(&str, &str)> = received
        .headers
        .iter()
        .filter(|(name, _)| names.contains(name))
        .collect();
    assert_eq!(arrived, sent);
}

#[test]
fn duplicates_in_the_request_keep_their_order_whatever_their_case() {
    let request = Request::get("/")
        .header("X-Many", "1")
        .header("x-many", "2")
        .header("X-MANY", "3");
    assert_eq!(
        forwarded(&[], &request).headers.all("X-Many"),
        ["1", "2", "3"]
    );
}

#[test]
fn headers_the_client_did_not_send_are_not_invented() {
    let received = forwarded(&[], &Request::get("/"));
    for name in [
        "Accept",
        "Accept-Encoding",
        "User-Agent",
        "Content-Type",
        "Content-Length",
        "Transfer-Encoding",
        "TE",
    ] {
        assert!(
            !received.headers.has(name),
            "{name}: {:?}",
            received.headers
        );
    }
}

#[test]
fn other_headers_of_the_answer_keep_order_duplicates_and_case() {
    let sent = [
        ("Set-Cookie", "a=1; HttpOnly"),
        ("X-Zulu", "1"),
        ("x-alpha", "2"),
        ("Set-Cookie", "b=2; Path=/"),
        ("ETag", "\"x\""),
        ("X-Zulu", "3"),
    ];
    let answer = returned(
        &[],
        sent.iter().fold(Reply::ok("x"), |reply, (name, value)| {
            reply.header(name, value)
        }),
    );
    let names: Vec<&str> = sent.iter().map(|(name, _)| *name).collect();
    let arrived: Vec<(&str, &str)> = answer
        .headers
        .iter()
        .filter(|(name, _)| names.contains(name))
        .collect();
    assert_eq!(arrived, sent);
}

#[test]
fn a_hundred_headers_pass() {
    let request = (0..100).fold(Request::get("/"), |request, n| {
        request.header(&format!("X-N-{n}"), "v")
    });
    let received = forwarded(&[], &request);
    assert_eq!(
        received
            .headers
            .names()
            .iter()
            .filter(|name| name.starts_with("X-N-"))
            .count(),
        100
    );
}

#[test]
fn latin_1_values_pass_unchanged() {
    let (upstream, gateway) = echoing(&[]);
    let mut connection = gateway.connect();
    connection.send(b"GET / HTTP/1.1\r\nHost: gateway.test\r\nX-Name: M\xfcller\r\n\r\n");
    assert_eq!(connection.answer().status, 200);
    assert_eq!(upstream.only().header("X-Name"), Some("Müller"));
}

#[test]
fn every_method_passes_with_and_without_a_body() {
    let (upstream, gateway) = echoing(&[]);
    for method in [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "BREW",
    ] {
        let answer = gateway.send(&Request::new(method, "/x"));
        assert_eq!(
            (answer.status, upstream.last().method.as_str()),
            (200, method)
        );
        if method != "HEAD" {
            assert_eq!(
                gateway
                    .send(&Request::new(method, "/x").body("hello"))
                    .json()["body_bytes"],
                5,
                "{method}"
            );
        }
    }
}

// --- identity ------------------------------------------------------------------------------------------------------------

const CREDENTIAL: &str = "4bd1f3b6-7f0c-4a7b-8a53-6f9b63d3a001";
const CONSUMER: &str = "4bd1f3b6-7f0c-4a7b-8a53-6f9b63d3a002";

fn with_key_auth(upstream: &Upstream) -> Gateway {
    Gateway::serving(&format!(
        r#"{}
consumers:
- id: {CONSUMER}
  username: mobile-app
  keyauth_credentials: [{{id: {CREDENTIAL}, key: secret}}]
plugins:
- name: key-auth
"#,
        proxying(upstream)
    ))
}

#[test]
fn identity_headers_cannot_be_made_up_by_the_client() {
    let upstream = Upstream::echo();
    let gateway = with_key_auth(&upstream);
    let names = [
        "X-Consumer-ID",
        "X-Consumer-Username",
        "X-Consumer-Custom-ID",
        "X-Credential-Identifier",
        "X-Anonymous-Consumer",
        "x-consumer-username",
        "X-CONSUMER-CUSTOM-ID",
    ];
    let request = names.iter().fold(
        Request::get("/").header("apikey", "secret"),
        |request, name| request.header(name, "admin").header(name, "root"),
    );
    assert_eq!(gateway.send(&request).status, 200);
    let received = upstream.only();
    assert_eq!(received.headers.all("X-Consumer-ID"), [CONSUMER]);
    assert_eq!(received.headers.all("X-Consumer-Username"), ["mobile-app"]);
    assert_eq!(
        received.headers.all("X-Credential-Identifier"),
        [CREDENTIAL]
    );
    assert!(
        !received.headers.has("X-Consumer-Custom-ID"),
        "the consumer has none: {:?}",
        received.headers
    );
    assert!(
        !received.headers.has("X-Anonymous-Consumer"),
        "{:?}",
        received.headers
    );
}

#[test]
fn identity_headers_cannot_be_removed_by_a_connection_list() {
    let upstream = Upstream::echo();
    let gateway = with_key_auth(&upstream);
    let request = Request::get("/")
        .header("apikey", "secret")
        .header(
            "Connection",
            "close, X-Consumer-Username, x-consumer-id, X-Credential-Identifier",
        )
        .header("X-Consumer-Username", "admin");
    assert_eq!(gateway.send(&request).status, 200);
    let received = upstream.only();
    assert_eq!(received.headers.all("X-Consumer-Username"), ["mobile-app"]);
    assert_eq!(received.headers.all("X-Consumer-ID"), [CONSUMER]);
    assert_eq!(
        received.headers.all("X-Credential-Identifier"),
        [CREDENTIAL]
    );
}

#[test]
fn identity_does_not_stay_on_a_connection() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream);
    let gateway = Gateway::serving(&format!(
        r#"{document}    plugins: [{{name: key-auth}}]
  - name: open
    paths: ["/open"]
consumers:
- username: mobile-app
  keyauth_credentials: [{{key: secret}}]
"#
    ));
    let mut connection: Connection = gateway.connect();
    assert_eq!(
        connection
            .request(&Request::get("/").header("apikey", "secret"))
            .status,
        200
    );
    assert_eq!(connection.request(&Request::get("/open")).status, 200);
    assert_eq!(upstream.last().header("X-Consumer-Username"), None);
    assert_eq!(connection.request(&Request::get("/")).status, 401);
}
