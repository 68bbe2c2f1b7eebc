//! ip-restriction, bot-detection, request-size-limiting, request-termination and redirect as a whole.

use serde_json::json;
use towergate_tests::{
    Answer, Gateway, Http2, LAST_CHUNK, Request, SOON, Script, Setup, Upstream, chunk, eventually, post, proxying,
};

/// A gateway with this plugin for everything after the document of [`proxying`].
fn with(upstream: &Upstream, plugin: &str) -> Gateway {
    prepared(upstream, plugin).start()
}

fn prepared(upstream: &Upstream, plugin: &str) -> Setup {
    Gateway::with(&format!("{}plugins:\n- {plugin}\n", proxying(upstream)))
}

/// The texts of a refused document with this plugin.
#[track_caller]
fn refusal(plugin: &str) -> String {
    let empty = "_format_version: \"3.0\"\n";
    let answer = Gateway::serving(empty).post_document(&format!("{empty}plugins:\n- {plugin}\n"));
    assert_eq!(answer.status, 400, "{}", answer.text());
    answer.json()["fields"].to_string()
}

/// A refusal in Kong's form: the message and the request's id.
#[track_caller]
fn assert_refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!((answer.status, answer.message().as_str()), (status, message));
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.json()["request_id"].as_str(), answer.header("X-Kong-Request-Id"));
}

/// What a gRPC client gets.
#[track_caller]
fn grpc(gateway: &Gateway) -> Answer {
    let mut request = post("/shop.Shop/Buy");
    request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    request.headers_mut().insert("user-agent", "Go-http-client/2.0".parse().unwrap());
    Http2::open(gateway.proxy()).send(request)
}

// --- ip-restriction ------------------------------------------------------------------------------------------------------

#[test]
fn ip_restriction_denies_before_it_allows() {
    let upstream = Upstream::echo();
    for (config, status) in [
        ("{deny: [127.0.0.1, 127.0.0.2]}", 403),
        ("{deny: [127.0.0.2]}", 200),
        ("{allow: [127.0.0.2]}", 403),
        ("{allow: [127.0.0.1]}", 200),
        ("{deny: [127.0.0.0/24]}", 403),
        ("{allow: [0.0.0.0/0]}", 200),
        ("{allow: [127.0.0.1], deny: [127.0.0.1]}", 403),
        ("{allow: [127.0.0.0/24], deny: [127.0.0.1]}", 403),
        ("{allow: ['::/0']}", 403),
    ] {
        let before = upstream.count();
        let answer = with(&upstream, &format!("{{name: ip-restriction, config: {config}}}")).get("/");
        if status == 403 {
            assert_refused(&answer, 403, "IP address not allowed: 127.0.0.1");
            assert_eq!(upstream.count(), before, "{config}");
        } else {
            assert_eq!(answer.status, status, "{config}");
        }
    }
}

#[test]
fn ip_restriction_may_refuse_with_other_words() {
    let upstream = Upstream::echo();
    let gateway =
        with(&upstream, "{name: ip-restriction, config: {deny: [127.0.0.0/24], status: 401, message: Forbidden}}");
    assert_refused(&gateway.get("/"), 401, "Forbidden");
    let html = gateway.send(&Request::get("/").header("Accept", "text/html"));
    assert_eq!(html.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert!(html.text().contains("<p>Forbidden.</p>"), "{}", html.text());
}

#[test]
fn ip_restriction_believes_what_trusted_proxies_say() {
    let upstream = Upstream::echo();
    let from = |client: &str| Request::get("/").header("X-Forwarded-For", client);
    let plugin =
        "{name: ip-restriction, config: {deny: [192.0.2.4], allow: [192.0.2.0/24, 127.0.0.1, '2001:db8::/32']}}";
    let gateway = prepared(&upstream, plugin)
        .setting("trusted_ips", "0.0.0.0/0,::/0")
        .setting("real_ip_header", "X-Forwarded-For")
        .setting("real_ip_recursive", "on")
        .start();
    for (client, status) in [("192.0.2.3", 200), ("192.0.2.4", 403), ("198.51.100.1", 403), ("2001:db8::7", 200)] {
        assert_eq!(gateway.send(&from(client)).status, status, "{client}");
    }
    assert_refused(&gateway.send(&from("192.0.2.4")), 403, "IP address not allowed: 192.0.2.4");
    let strangers = with(&upstream, plugin);
    assert_eq!(strangers.send(&from("192.0.2.4")).status, 200, "nobody is trusted unless told");
}

#[test]
fn ip_restriction_tells_grpc_clients_in_their_way() {
    let upstream = Upstream::echo();
    let plugin = "{name: ip-restriction, config: {deny: [127.0.0.1]}}";
    let answer = grpc(&prepared(&upstream, plugin).with_http2().start());
    assert_eq!((answer.header("grpc-status"), answer.header("grpc-message")), (Some("7"), Some("PermissionDenied")));
}

#[test]
fn ip_restriction_takes_long_lists() {
    let upstream = Upstream::echo();
    let most: Vec<_> =
        (0..100_000u32).map(|n| format!("\"10.{}.{}.{}/31\"", n >> 14, n >> 7 & 127, (n & 127) * 2)).collect();
    for (own, status) in [("127.0.0.1", 403), ("127.0.0.2", 200)] {
        let plugin = format!("{{name: ip-restriction, config: {{deny: [{}, {own}]}}}}", most.join(","));
        assert_eq!(with(&upstream, &plugin).get("/").status, status);
    }
}

#[test]
fn ip_restriction_refuses_what_it_cannot_keep() {
    let texts = refusal("{name: ip-restriction}");
    assert!(texts.contains("at least one of these fields must be non-empty: 'config.allow', 'config.deny'"), "{texts}");
    let texts = refusal("{name: ip-restriction, config: {deny: [10.0.0.0/8, hello]}}");
    assert!(texts.contains("invalid ip or cidr range: 'hello'"), "{texts}");
    let texts = refusal("{name: ip-restriction, config: {deny: [10.0.0.0/8], status: 200}}");
    assert!(texts.contains("must be a whole number from 400 to 599"), "{texts}");
}

#[test]
fn ip_restriction_has_protocols_of_its_own() {
    let empty = "_format_version: \"3.0\"\n";
    let gateway = Gateway::serving(empty);
    let answer =
        gateway.post_document(&format!("{empty}plugins: [{{name: ip-restriction, config: {{deny: ['::1']}}}}]\n"));
    let plugins = answer.json()["plugins"].clone();
    let protocols = plugins.as_object().and_then(|all| all.values().next()).map(|plugin| plugin["protocols"].clone());
    assert_eq!(protocols, Some(json!(["grpc", "grpcs", "http", "https", "tcp", "tls"])));
}

// --- bot-detection -------------------------------------------------------------------------------------------------------

fn bots(upstream: &Upstream, config: &str) -> Gateway {
    with(upstream, &format!("{{name: bot-detection, config: {config}}}"))
}

fn agent(name: &str) -> Request {
    Request::get("/").header("User-Agent", name)
}

#[test]
fn bot_detection_refuses_bots_of_kongs_list() {
    let upstream = Upstream::echo();
    let gateway = bots(&upstream, "{}");
    let chrome = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/50.0.2661.102 Safari/537.36";
    for request in [Request::get("/"), agent(chrome), agent("HelloWorld"), agent("curl/7.43.0"), agent("")] {
        assert_eq!(gateway.send(&request).status, 200, "{request:?}");
    }
    let passed = upstream.count();
    for name in ["Googlebot/2.1 (+http://www.google.com/bot.html)", "facebookexternalhit/1.1", "okhttp/4.12.0"] {
        assert_refused(&gateway.send(&agent(name)), 403, "Forbidden");
    }
    assert_eq!(upstream.count(), passed);
}

#[test]
fn bot_detection_has_lists_of_ones_own() {
    let upstream = Upstream::echo();
    assert_refused(&bots(&upstream, "{deny: [HelloWorld]}").send(&agent("HelloWorld")), 403, "Forbidden");
    assert_eq!(
        bots(&upstream, "{allow: ['facebookexternalhit/1.1']}").send(&agent("facebookexternalhit/1.1")).status,
        200
    );
    let both = bots(&upstream, "{allow: ['^Hello'], deny: [World]}");
    assert_eq!(both.send(&agent("HelloWorld")).status, 200);
    assert_eq!(both.send(&agent("World")).status, 403);
}

#[test]
fn bot_detection_takes_one_user_agent() {
    let upstream = Upstream::echo();
    let answer = bots(&upstream, "{}").send(&agent("a").header("user-agent", "b"));
    assert_refused(&answer, 400, "Only one User-Agent header allowed");
}

#[test]
fn bot_detection_goes_before_cors_and_authentication() {
    let upstream = Upstream::echo();
    let gateway = with(&upstream, "{name: bot-detection}\n- {name: cors}\n- {name: key-auth}");
    let answer = gateway.send(&agent("Twitterbot/1.0"));
    assert_refused(&answer, 403, "Forbidden");
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("*"), "whoever refuses, cors sees the response");
    let preflight = Request::new("OPTIONS", "/")
        .header("Origin", "http://a.test")
        .header("Access-Control-Request-Method", "GET")
        .header("User-Agent", "Twitterbot/1.0");
    assert_eq!(gateway.send(&preflight).status, 403);
    assert_eq!(gateway.get("/").status, 401);
}

#[test]
fn bot_detection_tells_grpc_clients_in_their_way() {
    let upstream = Upstream::echo();
    let answer = grpc(&prepared(&upstream, "{name: bot-detection}").with_http2().start());
    assert_eq!((answer.header("grpc-status"), answer.header("grpc-message")), (Some("7"), Some("PermissionDenied")));
}

#[test]
fn bot_detection_refuses_patterns_that_are_none_and_consumers() {
    let texts = refusal("{name: bot-detection, config: {deny: ['(']}}");
    assert!(texts.contains("not a valid regex: ("), "{texts}");
    let empty = "_format_version: \"3.0\"\n";
    let document = format!("{empty}consumers: [{{username: a}}]\nplugins: [{{name: bot-detection, consumer: a}}]\n");
    let answer = Gateway::serving(empty).post_document(&document);
    assert!(answer.status == 400 && answer.text().contains("value must be null"), "{}", answer.text());
}

// --- request-size-limiting -----------------------------------------------------------------------------------------------

const TOO_LARGE: &str = "Request size limit exceeded";

fn limited(upstream: &Upstream, config: &str) -> Gateway {
    prepared(upstream, &format!("{{name: request-size-limiting, config: {config}}}")).with_http2().start()
}

/// A request whose body comes in chunks.
fn chunked(lines: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n{lines}\r\n");
    [head.as_bytes(), &chunk(body), LAST_CHUNK].concat()
}

#[test]
fn request_size_limiting_has_units() {
    let upstream = Upstream::echo();
    for (unit, bytes) in [("bytes", 2), ("kilobytes", 2 << 10), ("megabytes", 2 << 20)] {
        let gateway = limited(&upstream, &format!("{{allowed_payload_size: 2, size_unit: {unit}}}"));
        assert_eq!(gateway.send(&Request::post("/", vec![b'a'; bytes])).status, 200, "{unit}");
        let before = upstream.count();
        // The head alone is enough to be refused.
        let head = format!("POST / HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: {}\r\n\r\n", bytes + 1);
        assert_refused(&gateway.send_raw(head), 413, TOO_LARGE);
        assert_eq!(upstream.count(), before);
    }
}

#[test]
fn request_size_limiting_counts_what_comes_in_chunks() {
    let upstream = Upstream::echo();
    for (unit, bytes) in [("kilobytes", 2 << 10), ("megabytes", 2 << 20)] {
        let gateway = limited(&upstream, &format!("{{allowed_payload_size: 2, size_unit: {unit}}}"));
        let body = vec![b'a'; bytes];
        assert_eq!(gateway.send_raw(chunked("", &body)).status, 200);
        assert_eq!(upstream.last().body.len(), bytes);
        let complete = || upstream.requests().iter().filter(|request| request.complete).count();
        let before = complete();
        assert_refused(&gateway.send_raw(chunked("", &[&body[..], b"a"].concat())), 413, TOO_LARGE);
        assert_eq!(complete(), before, "the upstream never gets a part for the whole");
        eventually(SOON, || upstream.open_connections() <= 1);
    }
}

#[test]
fn request_size_limiting_counts_what_comes_over_http_2() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, "{allowed_payload_size: 100, size_unit: kilobytes}");
    let client = Http2::open(gateway.proxy());
    assert_eq!(client.upload(post("/"), vec![b'a'; 100 << 10]).status, 200);
    let refused = client.upload(post("/"), vec![b'a'; (100 << 10) + 1]);
    assert_eq!((refused.status, refused.message().as_str()), (413, TOO_LARGE));
    assert_eq!(client.get("/").status, 200, "the connection goes on");
    assert_eq!(upstream.requests().iter().filter(|request| request.complete && request.method == "POST").count(), 1);
}

#[test]
fn request_size_limiting_answers_who_expects_to_go_on() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, "{allowed_payload_size: 2, size_unit: bytes}");
    let lines = "POST / HTTP/1.1\r\nHost: gateway.test\r\nExpect: 100-continue\r\n";
    assert_refused(&gateway.send_raw(format!("{lines}Content-Length: 3\r\n\r\n")), 417, TOO_LARGE);
    // Nobody knows the size of a body in chunks before it comes.
    let mut connection = gateway.connect();
    connection.send(format!("{lines}Transfer-Encoding: chunked\r\n\r\n"));
    assert_eq!(connection.head(), 100);
    connection.send([chunk("abc"), LAST_CHUNK.to_vec()].concat());
    assert_refused(&connection.answer(), 417, TOO_LARGE);
    assert_eq!(upstream.count(), 0);
}

#[test]
fn request_size_limiting_may_require_a_length() {
    let upstream = Upstream::echo();
    let gateway = limited(&upstream, "{require_content_length: true}");
    let required = "A valid Content-Length header is required";
    assert_refused(&gateway.get("/"), 411, required);
    let over_http_2 = Http2::open(gateway.proxy()).upload(post("/"), "abc");
    assert_eq!((over_http_2.status, over_http_2.message().as_str()), (411, required));
    assert_eq!(gateway.send(&Request::get("/").header("Content-Length", "0")).status, 200);
    assert_eq!(gateway.send(&Request::post("/", "abc")).status, 200);
    assert_eq!(gateway.send_raw(chunked("", b"abc")).status, 200);
}

#[test]
fn request_size_limiting_breaks_off_a_response_that_came_before_its_request() {
    // Answers as soon as the head has come, and then waits for more that never comes.
    let upstream = Upstream::answering(|_| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        Script::raw(head).then_hang().without_reading_the_body()
    });
    let document = format!(
        "{}    request_buffering: false\nplugins: [{{name: request-size-limiting, config: {{allowed_payload_size: 4, size_unit: bytes}}}}]\n",
        proxying(&upstream)
    );
    let gateway = Gateway::serving(&document);
    let mut connection = gateway.connect();
    connection.send("POST / HTTP/1.1\r\nHost: gateway.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send(chunk("ab"));
    assert_eq!(connection.head(), 200);
    connection.send(chunk("cde"));
    let rest = connection.drained();
    assert!(!rest.ends_with(LAST_CHUNK), "{rest:?}");
}

#[test]
fn request_size_limiting_refuses_units_it_does_not_know() {
    let texts = refusal("{name: request-size-limiting, config: {size_unit: gigabytes}}");
    assert!(texts.contains("expected one of: megabytes, kilobytes, bytes"), "{texts}");
    let texts = refusal("{name: request-size-limiting, config: {allowed_payload_size: -1}}");
    assert!(texts.contains("must not be negative"), "{texts}");
}

// --- request-termination -------------------------------------------------------------------------------------------------

fn terminating(upstream: &Upstream, config: &str) -> Gateway {
    with(upstream, &format!("{{name: request-termination, config: {config}}}"))
}

#[test]
fn request_termination_has_kongs_words() {
    let upstream = Upstream::echo();
    for (config, status, body) in [
        ("{}", 503, r#"{"message":"Service unavailable"}"#),
        ("{status_code: 404}", 404, r#"{"message":"Not found"}"#),
        ("{status_code: 405}", 405, r#"{"message":"Method not allowed"}"#),
        ("{status_code: 406, message: Invalid}", 406, r#"{"message":"Invalid"}"#),
    ] {
        let answer = terminating(&upstream, config).send(&Request::get("/").header("Accept", "text/html"));
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{config}");
        assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn request_termination_has_a_body_of_ones_own() {
    let upstream = Upstream::echo();
    let gateway = terminating(&upstream, "{status_code: 451, content_type: text/html, body: '<h1>Gone</h1>'}");
    let answer = gateway.get("/");
    assert_eq!((answer.status, answer.text().as_str()), (451, "<h1>Gone</h1>"));
    assert_eq!(answer.header("Content-Type"), Some("text/html"));
    let untyped = terminating(&upstream, r#"{body: '{"code": 1}'}"#).get("/");
    assert_eq!((untyped.status, untyped.text().as_str()), (503, r#"{"code": 1}"#));
    assert_eq!(untyped.header("Content-Type"), None);
}

#[test]
fn request_termination_without_words_leaves_it_to_nginx() {
    let upstream = Upstream::echo();
    let page = terminating(&upstream, "{status_code: 403}").get("/");
    assert_eq!((page.status, page.header("Content-Type")), (403, Some("text/html")));
    assert!(page.text().contains("<center><h1>403 Forbidden</h1></center>"), "{}", page.text());
    let nothing = terminating(&upstream, "{status_code: 204}").get("/");
    assert_eq!((nothing.status, nothing.body.len(), nothing.header("Content-Length")), (204, 0, None));
    let empty = terminating(&upstream, "{status_code: 299}").get("/");
    assert_eq!((empty.status, empty.body.len(), empty.header("Content-Length")), (299, 0, Some("0")));
    let kongs_own =
        terminating(&upstream, "{status_code: 408}").send(&Request::get("/").header("Accept", "text/plain"));
    assert!(kongs_own.text().starts_with("Request timeout\nrequest_id: "), "{}", kongs_own.text());
}

#[test]
fn request_termination_waits_for_its_trigger() {
    let upstream = Upstream::echo();
    let gateway = terminating(&upstream, "{trigger: x_debug}");
    for (request, status) in [
        (Request::get("/"), 200),
        (Request::get("/").header("X-Debug", "anything"), 503),
        (Request::get("/?x_debug"), 503),
        (Request::get("/?x_debug=1"), 503),
        (Request::get("/?x=x_debug"), 200),
    ] {
        assert_eq!(gateway.send(&request).status, status, "{request:?}");
    }
}

#[test]
fn request_termination_echoes_what_arrived() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream).replace(r#"["/"]"#, r#"['~/(?<kind>\w+)/200']"#);
    let plugin = "{name: request-termination, config: {echo: true, status_code: 404}}";
    let gateway = Gateway::serving(&format!("{document}plugins: [{plugin}]\n"));
    let request = Request::new("GET", "/status/200?hello=there").body("cool body");
    let answer = gateway.send(&request);
    assert_eq!((answer.status, answer.header("Content-Type")), (404, Some("application/json; charset=utf-8")));
    let told = answer.json();
    let expected = json!({
        "headers": {"content-length": "9", "host": "gateway.test"},
        "host": "gateway.test",
        "method": "GET",
        "path": "/status/200",
        "port": gateway.proxy().port(),
        "query": {"hello": "there"},
        "raw_body": "cool body",
        "scheme": "http",
        "uri_captures": {"named": {"kind": "status"}, "unnamed": ["status"]},
    });
    assert_eq!((&told["message"], &told["request"]), (&json!("Not found"), &expected));
    assert_eq!(told["kong"]["worker_pid"], gateway.pid());
    assert_eq!(told["matched_route"]["paths"], json!([r"~/(?<kind>\w+)/200"]));
    assert_eq!(told["matched_route"]["service"]["id"], told["matched_service"]["id"]);
    assert_eq!(told["matched_service"]["name"], "echo");
    assert_eq!(upstream.count(), 0);
}

#[test]
fn request_termination_comes_after_everything_else() {
    let upstream = Upstream::echo();
    let gateway = with(&upstream, "{name: request-termination}\n- {name: key-auth}\n- {name: cors}");
    assert_eq!(gateway.get("/").status, 401);
    let preflight =
        Request::new("OPTIONS", "/").header("Origin", "http://a.test").header("Access-Control-Request-Method", "GET");
    assert_eq!(gateway.send(&preflight).status, 200, "cors has answered before");
}

#[test]
fn request_termination_tells_grpc_clients_in_their_way() {
    let upstream = Upstream::echo();
    let gateway =
        prepared(&upstream, "{name: request-termination, config: {message: Back at noon}}").with_http2().start();
    let answer = grpc(&gateway);
    assert_eq!((answer.header("grpc-status"), answer.header("grpc-message")), (Some("14"), Some("Back at noon")));
}

#[test]
fn request_termination_refuses_what_does_not_go_together() {
    for (config, words) in [
        ("{message: a, body: b}", "message cannot be used with content_type or body"),
        ("{content_type: text/html}", "content_type requires a body"),
        ("{echo: true, body: b}", "echo cannot be used with content_type and body"),
        ("{status_code: 600}", "value should be between 100 and 599"),
        ("{status_code: 101}", "must be from 200 to 599"),
    ] {
        let texts = refusal(&format!("{{name: request-termination, config: {config}}}"));
        assert!(texts.contains(words), "{texts}");
    }
}

// --- redirect ------------------------------------------------------------------------------------------------------------

fn redirecting(upstream: &Upstream, config: &str) -> Gateway {
    with(upstream, &format!("{{name: redirect, config: {config}}}"))
}

#[test]
fn redirect_sends_elsewhere() {
    let upstream = Upstream::echo();
    for (config, status, location) in [
        ("{location: 'https://example.com'}", 301, "https://example.com"),
        ("{location: 'https://example.com', status_code: 302}", 302, "https://example.com"),
        ("{location: 'https://example.com/path?foo=bar'}", 301, "https://example.com/path?foo=bar"),
    ] {
        let answer = redirecting(&upstream, config).get("/status/200?x=y");
        assert_eq!((answer.status, answer.header("Location")), (status, Some(location)));
        assert_eq!((answer.text().as_str(), answer.header("Content-Type")), ("redirecting", None));
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn redirect_may_keep_the_path_that_was_asked_for() {
    let upstream = Upstream::echo();
    let gateway =
        redirecting(&upstream, "{location: 'https://example.com/some_path?foo=bar', keep_incoming_path: true}");
    for (asked, location) in [
        ("/status/200?keep=this", "https://example.com/status/200?keep=this"),
        ("/", "https://example.com/"),
        ("/a%2Fb/c%20d", "https://example.com/a%2Fb/c%20d"),
    ] {
        assert_eq!(gateway.get(asked).header("Location"), Some(location), "{asked}");
    }
    let head = gateway.send(&Request::new("HEAD", "/x"));
    assert_eq!((head.status, head.header("Location")), (301, Some("https://example.com/x")));
    assert_eq!((head.body.len(), head.header("Content-Length")), (0, Some("11")));
}

#[test]
fn redirect_may_be_for_one_route() {
    let upstream = Upstream::echo();
    let document = format!(
        "{}    plugins: [{{name: redirect, config: {{location: 'https://new.test'}}}}]\n  - {{name: other, paths: [/here]}}\n",
        proxying(&upstream)
    );
    let gateway = Gateway::serving(&document);
    assert_eq!(gateway.get("/").status, 301);
    assert_eq!(gateway.get("/here").status, 200);
}

#[test]
fn redirect_refuses_what_is_no_place() {
    for (config, words) in [
        ("{}", "required field missing"),
        ("{location: definitely_not_a_url}", "missing host in url"),
        ("{location: 'https://a', status_code: 99}", "value should be between 100 and 599"),
        ("{location: 'https://a b', keep_incoming_path: true}", "is no URL"),
    ] {
        let texts = refusal(&format!("{{name: redirect, config: {config}}}"));
        assert!(texts.contains(words), "{texts}");
    }
}
