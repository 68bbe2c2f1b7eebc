//! What stays with the gateway, because it concerns one connection only, and what passes through it untouched.

use towergate_tests::{
    Gateway, LAST_CHUNK, Reply, Request, Script, Upstream, answering, chunk, echoing, forwarded, proxying, returned,
};

// --- hop by hop, towards the upstream ---------------------------------------------------------------------------------

#[test]
fn connection_towards_the_upstream_is_the_gateway_s_own() {
    for connection in ["close", "keep-alive", "X-Private", "Upgrade"] {
        let received = forwarded(&[], &Request::get("/").header("Connection", connection));
        assert_eq!(received.header("Connection"), Some("keep-alive"), "{connection}");
    }
}

#[test]
fn hop_by_hop_headers_of_the_client_stay_with_the_gateway() {
    let names = ["Keep-Alive", "Proxy-Connection", "Proxy", "Upgrade", "HTTP2-Settings", "X-Listed"];
    let request = Request::get("/")
        .header("Connection", "X-Private, HTTP2-Settings, X-Listed")
        .header("X-Private", "1")
        .header("x-private", "2");
    let request = names.iter().fold(request, |request, name| request.header(name, "h2c"));
    let received = forwarded(&[], &request);
    for name in names.iter().chain(&["X-Private"]) {
        assert!(!received.headers.has(name), "{name}: {:?}", received.headers);
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
    let received = forwarded(&[], &Request::get("/").header("Connection", &format!("close, {}", set.join(", "))));
    for name in set {
        assert!(received.headers.has(name), "{name}: {:?}", received.headers);
    }
}

/// Whatever name a plugin writes, not only those the gateway knows by heart.
#[test]
fn a_connection_list_cannot_remove_what_a_plugin_has_set() {
    let upstream = Upstream::echo();
    let plugin = "plugins: [{name: correlation-id, config: {header_name: X-Trace, generator: uuid}}]\n";
    let gateway = Gateway::serving(&format!("{}{plugin}", proxying(&upstream)));
    for connection in ["close, X-Trace", "X-Trace", "upgrade, x-trace"] {
        let request = Request::get("/").header("Connection", connection).header("X-Trace", "the client's");
        assert_eq!(gateway.send(&request).status, 200);
        let received = upstream.last();
        let trace = received.header("X-Trace").unwrap_or_else(|| panic!("{connection}: {:?}", received.headers));
        assert_eq!(trace.len(), 36, "{connection}: a new one, for the client's was for this hop only: {trace}");
    }
}

#[test]
fn a_connection_list_cannot_remove_the_framing() {
    let request = Request::post("/", "hello").header("Connection", "Content-Length, Transfer-Encoding");
    let received = forwarded(&[], &request);
    assert_eq!((received.body.as_slice(), received.header("Content-Length")), (&b"hello"[..], Some("5")));
}

#[test]
fn te_is_reduced_to_trailers() {
    for (te, expected) in [("trailers", Some("trailers")), ("deflate, trailers", Some("trailers")), ("gzip", None)] {
        let received = forwarded(&[], &Request::get("/").header("TE", te).header("Connection", "TE"));
        assert_eq!(received.header("TE"), expected, "{te}");
    }
}

#[test]
fn bytes_after_an_upgrade_request_are_no_tunnel_before_101() {
    let (upstream, gateway) = echoing(&[]);
    let mut connection = gateway.connect();
    let upgrade = Request::get("/first").header("Connection", "Upgrade").header("Upgrade", "websocket");
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
    assert_eq!((upstream.only().header("Expect"), upstream.only().body), (None, b"hello".to_vec()));
}

#[test]
fn a_buffered_upload_gets_its_length() {
    let (upstream, gateway) = echoing(&[]);
    let mut connection = gateway.connect();
    connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send([chunk("hel"), chunk("lo"), LAST_CHUNK.to_vec()].concat());
    assert_eq!(connection.answer().status, 200);
    let received = upstream.only();
    assert_eq!((received.header("Content-Length"), received.header("Transfer-Encoding")), (Some("5"), None));
    assert_eq!(received.body, b"hello");
}

#[test]
fn an_unbuffered_chunked_upload_stays_chunked() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&format!("{}    request_buffering: false\n", proxying(&upstream)));
    let mut connection = gateway.connect();
    connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send([chunk("hel"), chunk("lo"), LAST_CHUNK.to_vec()].concat());
    assert_eq!(connection.answer().status, 200);
    let received = upstream.only();
    assert_eq!((received.header("Content-Length"), received.header("Transfer-Encoding")), (None, Some("chunked")));
    assert_eq!(received.body, b"hello");
}

// --- hop by hop, towards the client -----------------------------------------------------------------------------------

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
    for name in ["X-Private", "Keep-Alive", "Proxy-Connection", "Upgrade", "Trailer"] {
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
    let (upstream, gateway) =
        answering(&[], |_| Script::from(Reply::ok("").header("Connection", "close")).then_close());
    let mut connection = gateway.connect();
    for _ in 0..3 {
        let answer = connection.request(&Request::get("/"));
        assert_eq!((answer.status, answer.header("Connection") != Some("close")), (200, true));
    }
    assert_eq!(upstream.accepted(), 3);
}

#[test]
fn a_client_that_closes_does_not_close_the_upstream() {
    let (upstream, gateway) = echoing(&[("nginx_worker_processes", "1")]);
    for _ in 0..5 {
        let mut connection = gateway.connect();
        assert_eq!(connection.request(&Request::get("/").header("Connection", "close")).status, 200);
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
    let head = Reply::new(200).head_only().header("Transfer-Encoding", "chunked").bytes();
    let (_upstream, gateway) =
        answering(&[], move |_| Script::raw([head.clone(), chunk("hello"), LAST_CHUNK.to_vec()].concat()));
    let answer = gateway.send_raw("GET / HTTP/1.0\r\nHost: gateway.test\r\n\r\n");
    assert_eq!((answer.header("Transfer-Encoding"), answer.text().as_str()), (None, "hello"));
}

// --- everything else is left alone ------------------------------------------------------------------------------------

/// The lines ordered by name; those of one name stay as they came. Lines of different names may change places
/// (RFC 9110 section 5.3).
fn by_name<'a>(lines: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut lines = lines.to_vec();
    lines.sort_by_key(|(name, _)| *name);
    lines
}

#[test]
fn other_headers_of_the_request_keep_duplicates_and_case() {
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
    let received =
        forwarded(&[], &sent.iter().fold(Request::get("/"), |request, (name, value)| request.header(name, value)));
    let names: Vec<&str> = sent.iter().map(|(name, _)| *name).collect();
    let arrived: Vec<(&str, &str)> = received.headers.iter().filter(|(name, _)| names.contains(name)).collect();
    assert_eq!(by_name(&arrived), by_name(&sent));
}

#[test]
fn duplicates_in_the_request_keep_their_order_whatever_their_case() {
    let request = Request::get("/").header("X-Many", "1").header("x-many", "2").header("X-MANY", "3");
    assert_eq!(forwarded(&[], &request).headers.all("X-Many"), ["1", "2", "3"]);
}

#[test]
fn headers_the_client_did_not_send_are_not_invented() {
    let received = forwarded(&[], &Request::get("/"));
    for name in ["Accept", "Accept-Encoding", "User-Agent", "Content-Type", "Content-Length", "Transfer-Encoding", "TE"]
    {
        assert!(!received.headers.has(name), "{name}: {:?}", received.headers);
    }
}

#[test]
fn other_headers_of_the_answer_keep_duplicates_and_case() {
    let sent = [
        ("Set-Cookie", "a=1; HttpOnly"),
        ("X-Zulu", "1"),
        ("x-alpha", "2"),
        ("Set-Cookie", "b=2; Path=/"),
        ("ETag", "\"x\""),
        ("X-Zulu", "3"),
    ];
    let answer = returned(&[], sent.iter().fold(Reply::ok("x"), |reply, (name, value)| reply.header(name, value)));
    let names: Vec<&str> = sent.iter().map(|(name, _)| *name).collect();
    let arrived: Vec<(&str, &str)> = answer.headers.iter().filter(|(name, _)| names.contains(name)).collect();
    assert_eq!(by_name(&arrived), by_name(&sent));
}

#[test]
fn a_hundred_headers_pass() {
    let request = (0..100).fold(Request::get("/"), |request, n| request.header(&format!("X-N-{n}"), "v"));
    let received = forwarded(&[], &request);
    assert_eq!(received.headers.names().iter().filter(|name| name.starts_with("X-N-")).count(), 100);
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
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "BREW"] {
        let answer = gateway.send(&Request::new(method, "/x"));
        assert_eq!((answer.status, upstream.last().method.as_str()), (200, method));
        if method != "HEAD" {
            assert_eq!(gateway.send(&Request::new(method, "/x").body("hello")).json()["body_bytes"], 5, "{method}");
        }
    }
}
