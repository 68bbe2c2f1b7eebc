//! What the gateway says when it cannot or will not forward: status, words, and the form the client asked for.
//!
//! Two voices, as in Kong. Answers of the gateway's own logic (no route, no service, balancer) fall back to JSON; answers to broken
//! requests and broken upstreams fall back to the request's Content-Type and then to plain text.

use towergate_tests::{Answer, BlackHole, Gateway, Port, Reply, Request, Script, Upstream, proxying, proxying_to};

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
    assert_eq!(answer.text(), format!("{{\n  \"message\":\"{message}\",\n  \"request_id\":\"{id}\"\n}}"));
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
}

/// The body in Kong's plain form.
#[track_caller]
fn assert_plain_form(answer: &Answer, message: &str) {
    let id = answer.header("X-Kong-Request-Id").expect("a request id");
    assert_eq!(answer.text(), format!("{message}\nrequest_id: {id}\n"));
    assert_eq!(answer.header("Content-Type"), Some("text/plain; charset=utf-8"));
}

/// The body in the form that belongs to a media type.
#[track_caller]
fn assert_form(answer: &Answer, media_type: &str, message: &str) {
    let text = answer.text();
    let id = answer.header("X-Kong-Request-Id").expect("a request id");
    assert_eq!(answer.header("Content-Type"), Some(format!("{media_type}; charset=utf-8").as_str()), "{text}");
    match media_type {
        "application/json" => assert_json_form(answer, message),
        "text/plain" => assert_plain_form(answer, message),
        "text/html" => {
            let parts = ["<h1>Error</h1>", &format!("<p>{message}.</p>"), &format!("<p>request_id: {id}</p>")];
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
        "application/xml" => {
            let parts = [format!("<message>{message}</message>"), format!("<requestid>{id}</requestid>")];
            assert!(parts.iter().all(|part| text.contains(part)) && text.contains("<error>"), "{text}");
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
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
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
    assert_plain_form(&Gateway::serving(&proxying(&upstream)).get("/"), BAD_GATEWAY);
}

#[test]
fn upstream_failures_follow_the_request_s_content_type_without_accept() {
    let upstream = Upstream::answering(|_| Script::reset());
    let gateway = Gateway::serving(&proxying(&upstream));
    for media_type in ["application/json", "text/html", "application/xml", "text/plain"] {
        let answer = gateway.send(&Request::post("/", "x").header("Content-Type", media_type));
        assert_form(&answer, media_type, BAD_GATEWAY);
    }
}

#[test]
fn error_default_type_decides_for_upstream_failures() {
    let upstream = Upstream::answering(|_| Script::reset());
    let gateway = Gateway::with(&proxying(&upstream)).setting("error_default_type", "application/xml").start();
    assert_form(&gateway.get("/"), "application/xml", BAD_GATEWAY);
}

#[test]
fn error_templates_are_the_operator_s() {
    let folder = tempfile_with("{\"code\":\"x\",\"text\":\"%s\",\"id\":\"%s\"}");
    let gateway = Gateway::with("_format_version: \"3.0\"\n")
        .setting("error_template_json", folder.path().join("template").to_str().unwrap())
        .start();
    let answer = gateway.get("/");
    let id = answer.header("X-Kong-Request-Id").unwrap();
    assert_eq!(answer.text(), format!("{{\"code\":\"x\",\"text\":\"{NO_ROUTE}\",\"id\":\"{id}\"}}"));
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
    for request in [Request::get("/"), Request::post("/x", "body"), Request::new("OPTIONS", "/")] {
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
    format!("{}    protocols: [https]\n    https_redirect_status_code: {status}\n", proxying(upstream))
}

#[test]
fn plain_http_on_an_https_route_is_426() {
    let upstream = Upstream::echo();
    let documents = [https_only(&upstream, 426), format!("{}    protocols: [https]\n", proxying(&upstream))];
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
        let answer = gateway.send(&Request::get("/a%20b?c=d").header("Host", "api.example.com:8000"));
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("Location"), Some("https://api.example.com/a%20b?c=d"), "{status}");
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_trusted_peer_may_say_that_it_was_https() {
    let upstream = Upstream::echo();
    let request = Request::get("/").header("X-Forwarded-Proto", "https");
    let untrusting = Gateway::serving(&https_only(&upstream, 426));
    assert_eq!(untrusting.send(&request).status, 426);
    let trusting = Gateway::with(&https_only(&upstream, 426)).setting("trusted_ips", "127.0.0.1").start();
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
    assert_eq!((answer.status, answer.message().as_str()), (415, "Non-gRPC request matched gRPC route"));
    let answer = gateway.send(&Request::post("/", "x").header("Content-Type", "application/grpc+proto"));
    assert_eq!((answer.status, answer.message().as_str()), (426, "Please use HTTP2 protocol"));
    assert_eq!(answer.header("Upgrade"), Some("HTTP/2"));
}

// --- answers about the upstream ------------------------------------------------------------------------------------------

#[test]
fn a_refused_connection_is_502() {
    let nobody = Port::free();
    let gateway = Gateway::serving(&proxying_to(&format!("http://{}", nobody.address()), &["retries: 0"]));
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
        Script::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello").then_close(),
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
    let gateway = Gateway::serving(&proxying_to(&upstream.url(), &["retries: 0", "read_timeout: 200"]));
    let answer = gateway.get("/");
    assert_eq!(answer.status, 504);
    assert_plain_form(&answer, TIMED_OUT);
}

#[test]
fn an_unreachable_upstream_is_504() {
    let hole = BlackHole::open();
    let url = format!("http://{}", hole.address());
    let answer = Gateway::serving(&proxying_to(&url, &["retries: 0", "connect_timeout: 200"])).get("/");
    assert_eq!(answer.status, 504);
    assert_plain_form(&answer, TIMED_OUT);
}

#[test]
fn an_upstream_group_without_targets_is_503() {
    let document = format!("{}upstreams:\n- name: group\n", proxying_to("http://group", &["retries: 0"]));
    let answer = Gateway::serving(&document).get("/");
    assert_eq!(answer.status, 503);
    assert_json_form(&answer, "failure to get a peer from the ring-balancer");
}

#[test]
fn failures_tell_the_upstream_status_that_was_never_received() {
    let nobody = Port::free();
    let document = proxying_to(&format!("http://{}", nobody.address()), &["retries: 0"]);
    let answer = Gateway::with(&document).setting("headers", "X-Kong-Upstream-Status").start().get("/");
    assert_eq!((answer.status, answer.header("X-Kong-Upstream-Status")), (502, Some("502")));
}

#[test]
fn errors_of_the_upstream_itself_pass_untouched() {
    for status in [400, 401, 404, 418, 429, 500, 502, 503, 504, 599] {
        let upstream =
            Upstream::answering(move |_| Reply::new(status).body("mine").header("Content-Type", "text/mine"));
        let gateway = Gateway::serving(&proxying(&upstream));
        let answer = gateway.send(&Request::get("/").header("Accept", "application/json"));
        assert_eq!((answer.status, answer.text().as_str()), (status, "mine"));
        assert_eq!((answer.header("Content-Type"), upstream.count()), (Some("text/mine"), 1));
    }
}
