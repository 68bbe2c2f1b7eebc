//! Requests that are refused for what they are. After each, the gateway still serves, and the upstream saw nothing of it.

use towergate_tests::{Answer, Connection, Gateway, Request, Upstream, proxying};

/// Sends bytes that are no acceptable request, and checks the answer and that the gateway still serves.
#[track_caller]
fn refused(gateway: &Gateway, upstream: &Upstream, bytes: &[u8], statuses: &[u16]) -> Answer {
    let shown: String = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
    let before = upstream.count();
    let answer = gateway.send_raw(bytes);
    assert!(statuses.contains(&answer.status), "{} instead of one of {statuses:?} for {shown:?}", answer.status);
    assert_eq!(upstream.count(), before, "forwarded: {shown:?}");
    assert_eq!(gateway.get("/alive").status, 200, "after {shown:?}");
    answer
}

#[track_caller]
fn assert_each_refused(heads: &[&str], status: u16) {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    for head in heads {
        refused(&gateway, &upstream, head.as_bytes(), &[status]);
    }
}

#[test]
fn malformed_requests_are_400_in_plain_text() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let answer = refused(&gateway, &upstream, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", &[400]);
    assert!(answer.text().starts_with("Bad request"), "{}", answer.text());
    assert_eq!(answer.header("Content-Type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn malformed_request_lines_are_400() {
    assert_each_refused(
        &[
            "GET\r\nHost: gateway.test\r\n\r\n",
            "GET / HTTP/1.1 x\r\nHost: gateway.test\r\n\r\n",
            "GET / HTTP/1.a\r\nHost: gateway.test\r\n\r\n",
            "GET / FTP/1.1\r\nHost: gateway.test\r\n\r\n",
            "G(T / HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
            "GET no-slash HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
            "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
            ": / HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
        ],
        400,
    );
}

#[test]
fn malformed_headers_are_400() {
    assert_each_refused(
        &[
            "GET / HTTP/1.1\r\nHost: gateway.test\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: gateway.test\r\nX-A : 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: gateway.test\r\nX-A: a\x00b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: gateway.test\r\nX-A: a\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: gateway.test\r\nX(A: 1\r\n\r\n",
            "GET / HTTP/1.1\r\n: nameless\r\nHost: gateway.test\r\n\r\n",
        ],
        400,
    );
}

/// One of several equal lengths may be taken for all (RFC 9110 section 8.6); Kong does not.
#[test]
fn the_same_length_twice_is_400() {
    assert_each_refused(
        &["POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"],
        400,
    );
}

#[test]
fn ambiguous_framing_is_400() {
    assert_each_refused(
        &[
            "POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            "POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 5, 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: +5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: -5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 0x5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length:\r\n\r\nhello",
        ],
        400,
    );
}

/// nginx's own page for codings that it does not know, `Bad request` for several.
#[test]
fn unclear_transfer_encodings_are_refused() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let coded = |version: &str, coding: &str| {
        format!("POST / HTTP/{version}\r\nHost: gateway.test\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n")
    };
    for coding in ["chunked, identity", "gzip", "xchunked", "identity", ",chunked", "chunked,", "gzip, chunked"] {
        let answer = refused(&gateway, &upstream, coded("1.1", coding).as_bytes(), &[501]);
        assert!(answer.text().contains("<center><h1>501 Not Implemented</h1></center>"), "{}", answer.text());
    }
    let twice = coded("1.1", "chunked\r\nTransfer-Encoding: chunked");
    for request in [twice, coded("1.0", "chunked")] {
        refused(&gateway, &upstream, request.as_bytes(), &[400]);
    }
}

#[test]
fn a_version_that_is_not_spoken_is_505() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let answer = refused(&gateway, &upstream, b"GET / HTTP/2.0\r\nHost: gateway.test\r\n\r\n", &[505]);
    assert!(answer.text().contains("<h1>505 HTTP Version Not Supported</h1>"), "{}", answer.text());
}

#[test]
fn global_plugins_see_what_is_no_http() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&format!("{}plugins:\n- name: cors\n", proxying(&upstream)));
    for bytes in ["GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", "GET / HTTP/2.0\r\n\r\n"] {
        let answer = gateway.send_raw(bytes);
        assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("*"), "{bytes:?}");
        assert_eq!(answer.header("Server"), Some(towergate_tests::PRODUCT), "{bytes:?}");
        assert!(answer.header("X-Kong-Request-Id").is_some(), "{bytes:?}");
    }
    let accepting = "GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nno colon\r\n\r\n";
    assert_eq!(gateway.send_raw(accepting).json()["message"], "Bad request");
}

#[test]
fn a_body_with_two_framings_smuggles_nothing() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let mut connection = gateway.connect();
    connection.send(
        "POST /first HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    );
    connection.answer();
    // Either refused, or answered once and closed; what follows on this connection cannot be told apart from a body.
    connection.drained();
    assert!(upstream.requests().iter().all(|request| request.path == "/first" && request.body.is_empty()));
    assert_eq!(gateway.get("/alive").status, 200);
}

#[test]
fn bad_chunks_are_400_and_never_a_whole_request_for_the_upstream() {
    for body in
        ["zz\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "ffffffffffffffffff\r\nhello"]
    {
        let upstream = Upstream::echo();
        let gateway = Gateway::serving(&proxying(&upstream));
        let head = "POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(gateway.send_raw(format!("{head}{body}")).status, 400, "{body:?}");
        assert!(upstream.requests().iter().all(|request| !request.complete), "{body:?}");
        assert_eq!(gateway.get("/alive").status, 200, "{body:?}");
    }
}

#[test]
fn two_authorizations_are_400() {
    let heads =
        ["GET / HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Basic eDp5\r\nauthorization: Basic eTp6\r\n\r\n"];
    assert_each_refused(&heads, 400);
}

#[test]
fn a_missing_double_or_impossible_host_is_400() {
    assert_each_refused(
        &[
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.test\r\nhost: b.test\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a:port\r\n\r\n",
        ],
        400,
    );
}

#[test]
fn http_1_0_may_come_without_a_host() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    assert_eq!(gateway.send_raw("GET / HTTP/1.0\r\n\r\n").status, 200);
    assert_eq!(upstream.only().header("Host"), Some(upstream.address().to_string().as_str()));
}

#[test]
fn absolute_form_names_the_host() {
    let upstream = Upstream::echo();
    let document = format!("{}    hosts: [shop.test]\n    preserve_host: true\n", proxying(&upstream));
    let gateway = Gateway::serving(&document);
    let answer = gateway.send(&Request::get("http://shop.test/cart?x=y").header("Host", "other.test"));
    assert_eq!(answer.status, 200);
    assert_eq!((upstream.only().path.as_str(), upstream.only().header("Host")), ("/cart?x=y", Some("shop.test")));
    assert_eq!(gateway.send(&Request::get("http://other.test/").header("Host", "shop.test")).status, 404);
}

#[test]
fn paths_that_cannot_be_normalised_are_400() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    for path in ["/../..", "/a/../../b", "/%2e%2e/%2e%2e/b", "/a%00b", "/%zz", "/%", "/%4", "/a%2"] {
        let bytes = Request::get(path).bytes();
        let answer = refused(&gateway, &upstream, &bytes, &[400]);
        assert!(answer.text().starts_with("Bad request"), "{path}: {}", answer.text());
    }
}

#[test]
fn trace_is_405() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    refused(&gateway, &upstream, &Request::new("TRACE", "/").bytes(), &[405]);
}

#[test]
fn connect_opens_no_tunnel() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let head = format!("CONNECT {} HTTP/1.1\r\nHost: gateway.test\r\n\r\n", upstream.address());
    refused(&gateway, &upstream, head.as_bytes(), &[400, 405]);
    assert_eq!(upstream.accepted(), 1, "only the request that shows life");
}

#[test]
fn a_long_request_line_is_414() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let target = format!("/{}", "a".repeat(10_000));
    let answer = refused(&gateway, &upstream, &Request::get(&target).bytes(), &[414]);
    assert!(answer.text().starts_with("URI too long"), "{}", answer.text());
    assert_eq!(gateway.get(&format!("/{}", "a".repeat(7_000))).status, 200);
}

/// nginx's words and status for what does not fit into its buffers.
#[test]
fn headers_that_are_too_large_are_400() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let one = Request::get("/").header("X-Large", &"a".repeat(40_000));
    let line = Request::get("/").header("X-Large", &"a".repeat(10_000));
    let many = (0..6).fold(Request::get("/"), |request, n| request.header(&format!("X-N-{n}"), &"a".repeat(8_000)));
    for request in [one, line, many] {
        let answer = refused(&gateway, &upstream, &request.bytes(), &[400]);
        assert!(answer.text().starts_with("Request header or cookie too large"), "{}", answer.text());
    }
    let large = Request::get("/").header("Cookie", &"a".repeat(7_000));
    assert_eq!(gateway.send(&large).status, 200);
}

/// Kong takes as many as fit into its buffers; the status is RFC 6585's.
#[test]
fn too_many_headers_are_431() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let with = |count| (0..count).fold(Request::get("/"), |request, n| request.header(&format!("X-N-{n}"), "a"));
    refused(&gateway, &upstream, &with(300).bytes(), &[431]);
    assert_eq!(gateway.send(&with(150)).status, 200);
}

#[test]
fn a_body_over_the_limit_is_413() {
    let upstream = Upstream::echo();
    let setup = Gateway::with(&proxying(&upstream)).setting("nginx_http_client_max_body_size", "1k");
    let gateway = setup.start();
    let answer = gateway.send(&Request::post("/", "a".repeat(1025)));
    assert_eq!((answer.status, upstream.count()), (413, 0));
    assert!(answer.text().starts_with("Payload too large"), "{}", answer.text());
    assert_eq!(gateway.send(&Request::post("/", "a".repeat(1024))).status, 200);
}

#[test]
fn a_client_that_stops_inside_its_request_costs_nothing() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    for part in
        ["", "GE", "GET / HTTP/1.1\r\nHo", "POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 5\r\n\r\nhe"]
    {
        let mut connection = gateway.connect();
        connection.send(part);
        drop(connection);
        assert_eq!(gateway.get("/alive").status, 200, "{part:?}");
    }
    assert!(upstream.requests().iter().all(|request| request.path == "/alive" || !request.complete));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let mut connection: Connection = gateway.connect();
    let paths = ["/1", "/2", "/3"];
    connection.send(paths.map(|path| Request::get(path).bytes()).concat());
    for path in paths {
        assert_eq!(connection.answer().json()["path"], path);
    }
}

#[test]
fn after_all_this_there_was_no_panic_and_no_error_line() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let bad: [&[u8]; 5] = [
        b"\r\n\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for bytes in bad {
        let mut connection = gateway.connect();
        connection.send(bytes);
        connection.finish_sending();
        connection.drained();
        assert_eq!(gateway.get("/alive").status, 200, "{bytes:?}");
    }
    let log = gateway.log().to_lowercase();
    assert!(!log.contains("panicked") && !log.contains("[error]") && !log.contains("[alert]"), "{log}");
}
