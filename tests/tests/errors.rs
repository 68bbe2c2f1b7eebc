//! What the gateway says when it cannot or will not forward: status, words, and the form the client asked for.
//!
//! Two voices, as in Kong. Answers of the gateway's own logic (no route, no service, balancer) fall back to JSON; answers to broken
//! requests and broken upstreams fall back to the request's Content-Type and then to plain text.

use towergate_tests::{
    Answer, BlackHole, Connection, Gateway, Port, Reply, Request, Script, Upstream, proxying,
    proxying_to,
};

const BAD_GATEWAY: &str = "An invalid response was received from the upstream server";
const TIMED_OUT: &str = "The upstream server is timing out";
const NO_ROUTE: &str = "no Route matched with those values";

/// A gateway that knows no route.
fn empty_gateway() -> Gateway {
    Gateway::serving("_format_version: \"3.0\"\n")
}

/// The body in Kong's JSON form: two fields, indented by two spaces, with the id of the request.
#[track_caller]
fn assert_json_form(answer: &Answer, message: &str) {
    let id = answer.header("X-Kong-Request-Id").expect("a request id");
    assert_eq!(
        answer.text(),
        format!("{{\n  \"message\":\"{message}\",\n  \"request_id\":\"{id}\"\n}}")
    );
    assert_eq!(
        answer.header("Content-Type"),
        Some("application/json; charset=utf-8")
    );
}

/// The body in Kong's plain form.
#[track_caller]
fn assert_plain_form(answer: &Answer, message: &str) {
    let id = answer.header("X-Kong-Request-Id").expect("a request id");
    assert_eq!(answer.text(), format!("{message}\nrequest_id: {id}\n"));
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
}

/// The body in the form that belongs to a media type.
#[track_caller]
fn assert_form(answer: &Answer, media_type: &str, message: &str) {
    let text = answer.text();
    let id = answer.header("X-Kong-Request-Id").expect("a request id");
    assert_eq!(
        answer.header("Content-Type"),
        Some(format!("{media_type}; charset=utf-8").as_str()),
        "{text}"
    );
    match media_type {
        "application/json" => assert_json_form(answer, message),
        "text/plain" => assert_plain_form(answer, message),
        "text/html" => {
            let parts = [
                "<h1>Error</h1>",
                &format!("<p>{message}.</p>"),
                &format!("<p>request_id: {id}</p>"),
            ];
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
        "application/xml" => {
            let parts = [
                format!("<message>{message}</message>"),
                format!("<requestid>{id}</requestid>"),
            ];
            assert!(
                parts.iter().all(|part| text.contains(part)) && text.contains("<error>"),
                "{text}"
            );
        }
        other => panic!("no form is known for {other}"),
    }
}

// --- negotiation ---------------------------------------------------------------------------------------------------------

/// Accept, and the media type it means.
const ACCEPTS: [(&str, &str); 14] = [
    ("application/json", "application/json"),
    ("text/html", "text/html"),
    ("application/xml", "application/xml"),
    ("text/plain", "text/plain"),
    ("application/*", "application/json"),
    ("text/*", "text/plain"),
    ("*/*", "application/json"),
    ("image/png", "application/json"),
    ("nonsense", "application/json"),
    (
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/html",
    ),
    ("text/plain;q=0.3, application/xml;q=0.7", "application/xml"),
    ("application/xml, text/html", "application/xml"),
    ("TEXT/HTML", "text/html"),
    ("text/html; charset=utf-8", "text/html"),
];

#[test]
fn own_answers_come_in_the_form_that_accept_asks_for() {
    let gateway = empty_gateway();
    for (accept, media_type) in ACCEPTS {
        let answer = gateway.send(&Request::get("/").header("Accept", accept));
        assert_eq!(answer.status, 404, "{accept}");
        assert_form(&answer, media_type, NO_ROUTE);
    }
}

#[test]
fn upstream_failures_come_in_the_form_that_accept_asks_for() {
    let upstream = Upstream::answering(|_| Script::reset());
    let gateway = Gateway::serving(&proxying(&upstream));
    for (accept, media_type) in ACCEPTS {
        let answer = gateway.send(&Request::get("/").header("Accept", accept));
        assert_eq!(answer.status, 502, "{accept}");
        assert_form(&answer, media_type, BAD_GATEWAY);
    }
}

#[test]
fn own_answers_are_json_without_accept() {
    let gateway = empty_gateway();
    assert_json_form(&gateway.get("/"), NO_ROUTE);
    let request = Request::post("/", "<a/>").header("Content-Type", "application/xml");
    assert_json_form(&gateway.send(&request), NO_ROUTE);
}

#[test]
fn upstream_failures_are_plain_text_without_accept() {
    let upstream = Upstream::answering(|_| Script::reset());
    assert_plain_form(
        &Gateway::serving(&proxying(&upstream)).get("/"),
        BAD_GATEWAY,
    );
}

#[test]
fn upstream_failures_follow_the_request_s_content_type_without_accept() {
    let upstream = Upstream::answering(|_| Script::reset());
    let gateway = Gateway::serving(&proxying(&upstream));
    for media_type in [
        "application/json",
        "text/html",
        "application/xml",
        "text/plain",
    ] {
        let answer = gateway.send(&Request::post("/", "x").header("Content-Type", media_type));
        assert_form(&answer, media_type, BAD_GATEWAY);
    }
}

#[test]
fn error_default_type_decides_for_upstream_failures() {
    let upstream = Upstream::answering(|_| Script::reset());
    let gateway = Gateway::with(&proxying(&upstream))
        .setting("error_default_type", "application/xml")
        .start();
    assert_form(&gateway.get("/"), "application/xml", BAD_GATEWAY);
}

#[test]
fn error_templates_are_the_operator_s() {
    let folder = tempfile_with("{\"code\":\"x\",\"text\":\"%s\",\"id\":\"%s\"}");
    let gateway = Gateway::with("_format_version: \"3.0\"\n")
        .setting(
            "error_template_json",
            folder.path().join("template").to_str().unwrap(),
        )
        .start();
    let answer = gateway.get("/");
    let id = answer.header("X-Kong-Request-Id").unwrap();
    assert_eq!(
        answer.text(),
        format!("{{\"code\":\"x\",\"text\":\"{NO_ROUTE}\",\"id\":\"{id}\"}}")
    );
}

fn tempfile_with(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("template"), text).unwrap();
    folder
}

#[test]
fn head_gets_the_headers_of_an_error_without_its_body() {
    let answer = empty_gateway().send(&Request::new("HEAD", "/"));
    assert_eq!((answer.status, answer.body.len()), (404, 0));
}

// --- answers of the router -----------------------------------------------------------------------------------------------

#[test]
fn no_route_is_404() {
    let gateway = empty_gateway();
    for request in [
        Request::get("/"),
        Request::post("/x", "body"),
        Request::new("OPTIONS", "/"),
    ] {
        let answer = gateway.send(&request);
        assert_eq!(answer.status, 404);
        assert_json_form(&answer, NO_ROUTE);
    }
}

#[test]
fn a_route_without_a_service_is_503() {
    let gateway = Gateway::serving("{_format_version: '3.0', routes: [{name: r, paths: [/]}]}");
    let answer = gateway.get("/");
    assert_eq!(answer.status, 503);
    assert_json_form(&answer, "no Service found with those values");
}

#[test]
fn a_disabled_service_has_no_routes() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying_to(&upstream.url(), &["enabled: false"]));
    assert_eq!(gateway.get("/").status, 404);
}

fn https_only(upstream: &Upstream, status: u16) -> String {
    format!(
        "{}    protocols: [https]\n    https_redirect_status_code: {status}\n",
        proxying(upstream)
    )
}

#[test]
fn plain_http_on_an_https_route_is_426() {
    let upstream = Upstream::echo();
    let documents = [
        https_only(&upstream, 426),
        format!("{}    protocols: [https]\n", proxying(&upstream)),
    ];
    for document in documents {
        let answer = Gateway::serving(&document).get("/");
        assert_eq!(answer.status, 426);
        assert_json_form(&answer, "Please use HTTPS protocol");
        assert_eq!(answer.header("Connection"), Some("Upgrade"));
        assert_eq!(answer.header("Upgrade"), Some("TLS/1.2, HTTP/1.1"));
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn plain_http_on_an_https_route_may_be_redirected() {
    let upstream = Upstream::echo();
    for status in [301, 302, 307, 308] {
        let gateway = Gateway::serving(&https_only(&upstream, status));
        let answer =
            gateway.send(&Request::get("/a%20b?c=d").header("Host", "api.example.com:8000"));
        assert_eq!(answer.status, status);
        assert_eq!(
            answer.header("Location"),
            Some("https://api.example.com/a%20b?c=d"),
            "{status}"
        );
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_trusted_peer_may_say_that_it_was_https() {
    let upstream = Upstream::echo();
    let request = Request::get("/").header("X-Forwarded-Proto", "https");
    let untrusting = Gateway::serving(&https_only(&upstream, 426));
    assert_eq!(untrusting.send(&request).status, 426);
    let trusting = Gateway::with(&https_only(&upstream, 426))
        .setting("trusted_ips", "127.0.0.1")
        .start();
    assert_eq!(trusting.send(&request).status, 200);
    assert_eq!(trusting.get("/").status, 426);
}

#[test]
fn a_grpc_route_refuses_what_is_not_grpc() {
    let document = r#"
_format_version: "3.0"
services:
- {name: echo, protocol: grpc, host: 127.0.0.1, port: 1, routes: [{name: r, protocols: [grpc], paths: [/]}]}
"#;
    let gateway = Gateway::serving(document);
    let answer = gateway.get("/");
    assert_eq!(
        (answer.status, answer.message().as_str()),
        (415, "Non-gRPC request matched gRPC route")
    );
    let answer =
        gateway.send(&Request::post("/", "x").header("Content-Type", "application/grpc+proto"));
    assert_eq!(
        (answer.status, answer.message().as_str()),
        (426, "Please use HTTP2 protocol")
    );
    assert_eq!(answer.header("Upgrade"), Some("HTTP/2"));
}

// --- answers about the upstream ------------------------------------------------------------------------------------------

#[test]
fn a_refused_connection_is_502() {
    let nobody = Port::free();
    let gateway = Gateway::serving(&proxying_to(
        &format!("http://{}", nobody.address()),
        &["retries: 0"],
    ));
    let answer = gateway.get("/");
    assert_eq!(answer.status, 502);
    assert_plain_form(&answer, BAD_GATEWAY);
}

#[test]
fn an_upstream_that_breaks_before_its_headers_is_502() {
    let scripts = [
        Script::close(),
        Script::reset(),
        Script::raw("HTTP/1.1 200 OK\r\nContent-Le").then_close(),
        Script::raw("this is not HTTP\r\n\r\n").then_close(),
        Script::raw("HTTP/1.1 abc OK\r\n\r\n").then_close(),
        Script::raw("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n").then_close(),
        Script::raw("HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello").then_close(),
        Script::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
            .then_close(),
    ];
    for script in scripts {
        let described = format!("{script:?}");
        let upstream = Upstream::answering(move |_| script.clone());
        let gateway = Gateway::serving(&proxying(&upstream));
        let answer = gateway.get("/");
        assert_eq!((answer.status, upstream.count()), (502, 1), "{described}");
        assert_plain_form(&answer, BAD_GATEWAY);
    }
}

#[test]
fn a_silent_upstream_is_504() {
    let upstream = Upstream::answering(|_| Script::hang());
    let gateway = Gateway::serving(&proxying_to(
        &upstream.url(),
        &["retries: 0", "read_timeout: 200"],
    ));
    let answer = gateway.get("/");
    assert_eq!(answer.status, 504);
    assert_plain_form(&answer, TIMED_OUT);
}

#[test]
fn an_unreachable_upstream_is_504() {
    let hole = BlackHole::open();
    let url = format!("http://{}", hole.address());
    let answer =
        Gateway::serving(&proxying_to(&url, &["retries: 0", "connect_timeout: 200"])).get("/");
    assert_eq!(answer.status, 504);
    assert_plain_form(&answer, TIMED_OUT);
}

#[test]
fn an_upstream_group_without_targets_is_503() {
    let document = format!(
        "{}upstreams:\n- name: group\n",
        proxying_to("http://group", &["retries: 0"])
    );
    let answer = Gateway::serving(&document).get("/");
    assert_eq!(answer.status, 503);
    assert_json_form(&answer, "failure to get a peer from the ring-balancer");
}

#[test]
fn failures_tell_the_upstream_status_that_was_never_received() {
    let nobody = Port::free();
    let document = proxying_to(&format!("http://{}", nobody.address()), &["retries: 0"]);
    let answer = Gateway::with(&document)
        .setting("headers", "X-Kong-Upstream-Status")
        .start()
        .get("/");
    assert_eq!(
        (answer.status, answer.header("X-Kong-Upstream-Status")),
        (502, Some("502"))
    );
}

#[test]
fn errors_of_the_upstream_itself_pass_untouched() {
    for status in [400, 401, 404, 418, 429, 500, 502, 503, 504, 599] {
        let upstream = Upstream::answering(move |_| {
            Reply::new(status)
                .body("mine")
                .header("Content-Type", "text/mine")
        });
        let gateway = Gateway::serving(&proxying(&upstream));
        let answer = gateway.send(&Request::get("/").header("Accept", "application/json"));
        assert_eq!((answer.status, answer.text().as_str()), (status, "mine"));
        assert_eq!(
            (answer.header("Content-Type"), upstream.count()),
            (Some("text/mine"), 1)
        );
    }
}

// --- requests that are refused -------------------------------------------------------------------------------------------

/// Sends bytes that are no acceptable request, and checks the answer and that the gateway still serves.
#[track_caller]
fn refused(gateway: &Gateway, upstream: &Upstream, bytes: &[u8], statuses: &[u16]) -> Answer {
    let shown: String = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
    let before = upstream.count();
    let answer = gateway.send_raw(bytes);
    assert!(
        statuses.contains(&answer.status),
        "{} instead of one of {statuses:?} for {shown:?}",
        answer.status
    );
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
    let answer = refused(
        &gateway,
        &upstream,
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        &[400],
    );
    assert!(
        answer.text().starts_with("Bad request"),
        "{}",
        answer.text()
    );
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/plain; charset=utf-8")
    );
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

#[test]
fn ambiguous_framing_is_400() {
    assert_each_refused(
        &[
            "POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
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

#[test]
fn unclear_transfer_encodings_are_refused() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    for encoding in [
        "chunked, identity",
        "gzip",
        "xchunked",
        "chunked\r\nTransfer-Encoding: chunked",
        ",chunked",
        "chunked,",
    ] {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: {encoding}\r\n\r\n0\r\n\r\n"
        );
        refused(&gateway, &upstream, head.as_bytes(), &[400, 501]);
    }
    let old =
        b"POST / HTTP/1.0\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    refused(&gateway, &upstream, old, &[400]);
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
    assert!(
        upstream
            .requests()
            .iter()
            .all(|request| request.path == "/first" && request.body.is_empty())
    );
    assert_eq!(gateway.get("/alive").status, 200);
}

#[test]
fn bad_chunks_are_400_and_never_a_whole_request_for_the_upstream() {
    for body in [
        "zz\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nhello",
    ] {
        let upstream = Upstream::echo();
        let gateway = Gateway::serving(&proxying(&upstream));
        let head = "POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(
            gateway.send_raw(format!("{head}{body}")).status,
            400,
            "{body:?}"
        );
        assert!(
            upstream.requests().iter().all(|request| !request.complete),
            "{body:?}"
        );
        assert_eq!(gateway.get("/alive").status, 200, "{body:?}");
    }
}

#[test]
fn two_authorizations_are_400() {
    let heads = [
        "GET / HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Basic eDp5\r\nauthorization: Basic eTp6\r\n\r\n",
    ];
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
    assert_eq!(
        upstream.only().header("Host"),
        Some(upstream.address().to_string().as_str())
    );
}

#[test]
fn absolute_form_names_the_host() {
    let upstream = Upstream::echo();
    let document = format!(
        "{}    hosts: [shop.test]\n    preserve_host: true\n",
        proxying(&upstream)
    );
    let gateway = Gateway::serving(&document);
    let answer =
        gateway.send(&Request::get("http://shop.test/cart?x=y").header("Host", "other.test"));
    assert_eq!(answer.status, 200);
    assert_eq!(
        (
            upstream.only().path.as_str(),
            upstream.only().header("Host")
        ),
        ("/cart?x=y", Some("shop.test"))
    );
    assert_eq!(
        gateway
            .send(&Request::get("http://other.test/").header("Host", "shop.test"))
            .status,
        404
    );
}

#[test]
fn paths_that_cannot_be_normalised_are_400() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    for path in [
        "/../..",
        "/a/../../b",
        "/%2e%2e/%2e%2e/b",
        "/a%00b",
        "/%zz",
        "/%",
        "/%4",
        "/a%2",
    ] {
        let bytes = Request::get(path).bytes();
        let answer = refused(&gateway, &upstream, &bytes, &[400]);
        assert!(
            answer.text().starts_with("Bad request"),
            "{path}: {}",
            answer.text()
        );
    }
}

#[test]
fn trace_is_405() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    refused(
        &gateway,
        &upstream,
        &Request::new("TRACE", "/").bytes(),
        &[405],
    );
}

#[test]
fn connect_opens_no_tunnel() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let head = format!(
        "CONNECT {} HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
        upstream.address()
    );
    refused(&gateway, &upstream, head.as_bytes(), &[400, 405]);
    assert_eq!(upstream.accepted(), 1, "only the request that shows life");
}

#[test]
fn a_long_request_line_is_414() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let target = format!("/{}", "a".repeat(10_000));
    let answer = refused(&gateway, &upstream, &Request::get(&target).bytes(), &[414]);
    assert!(
        answer.text().starts_with("URI too long"),
        "{}",
        answer.text()
    );
    assert_eq!(gateway.get(&format!("/{}", "a".repeat(7_000))).status, 200);
}

#[test]
fn headers_that_are_too_large_are_400() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let one = Request::get("/").header("X-Large", &"a".repeat(40_000));
    let many = (0..1_000).fold(Request::get("/"), |request, n| {
        request.header(&format!("X-N-{n}"), &"a".repeat(60))
    });
    for request in [one, many] {
        let answer = refused(&gateway, &upstream, &request.bytes(), &[400]);
        assert!(
            answer
                .text()
                .starts_with("Request header or cookie too large"),
            "{}",
            answer.text()
        );
    }
    let large = Request::get("/").header("Cookie", &"a".repeat(7_000));
    assert_eq!(gateway.send(&large).status, 200);
}

#[test]
fn a_body_over_the_limit_is_413() {
    let upstream = Upstream::echo();
    let setup =
        Gateway::with(&proxying(&upstream)).setting("nginx_http_client_max_body_size", "1k");
    let gateway = setup.start();
    let answer = gateway.send(&Request::post("/", "a".repeat(1025)));
    assert_eq!((answer.status, upstream.count()), (413, 0));
    assert!(
        answer.text().starts_with("Payload too large"),
        "{}",
        answer.text()
    );
    assert_eq!(
        gateway.send(&Request::post("/", "a".repeat(1024))).status,
        200
    );
}

#[test]
fn a_client_that_stops_inside_its_request_costs_nothing() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    for part in [
        "",
        "GE",
        "GET / HTTP/1.1\r\nHo",
        "POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 5\r\n\r\nhe",
    ] {
        let mut connection = gateway.connect();
        connection.send(part);
        drop(connection);
        assert_eq!(gateway.get("/alive").status, 200, "{part:?}");
    }
    assert!(
        upstream
            .requests()
            .iter()
            .all(|request| request.path == "/alive" || !request.complete)
    );
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
    assert!(
        !log.contains("panicked") && !log.contains("[error]") && !log.contains("[alert]"),
        "{log}"
    );
}
