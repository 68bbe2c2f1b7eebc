//! correlation-id, cors and key-auth as a whole, and how one of several configurations of a plugin is chosen.

use towergate_tests::{Answer, Gateway, Reply, Request, Script, Upstream, proxying};

/// A gateway with this text after the document of [`proxying`]: top-level keys, unindented.
fn with(upstream: &Upstream, text: &str) -> Gateway {
    Gateway::serving(&format!("{}{text}", proxying(upstream)))
}

/// Like [`with`], with one worker, where counters and connections are concerned.
fn with_one_worker(upstream: &Upstream, text: &str) -> Gateway {
    Gateway::with(&format!("{}{text}", proxying(upstream))).setting("nginx_worker_processes", "1").start()
}

/// The texts of a refused document.
#[track_caller]
fn refusal(text: &str) -> String {
    let answer =
        Gateway::serving("_format_version: \"3.0\"\n").post_document(&format!("_format_version: \"3.0\"\n{text}"));
    assert_eq!(answer.status, 400, "{}", answer.text());
    answer.json()["fields"].to_string()
}

fn is_uuid(text: &str) -> bool {
    let dashes: Vec<usize> = text.match_indices('-').map(|(at, _)| at).collect();
    text.len() == 36 && dashes == [8, 13, 18, 23] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

// --- correlation-id ------------------------------------------------------------------------------------------------------

#[test]
fn correlation_id_counts_per_worker_by_default() {
    let upstream = Upstream::echo();
    let gateway = with_one_worker(&upstream, "plugins: [{name: correlation-id}]\n");
    for count in 1..=3 {
        let answer = gateway.get("/");
        assert_eq!(answer.header("Kong-Request-ID"), None, "echo_downstream is off by default");
        let id = upstream.last().header("Kong-Request-ID").expect("sent upstream").to_owned();
        let (uuid, number) = id.split_once('#').expect("a uuid and a number");
        assert!(is_uuid(uuid), "{id}");
        assert_eq!(number, count.to_string());
    }
    let uuids: Vec<String> =
        upstream.requests().iter().map(|request| request.header("Kong-Request-ID").unwrap()[..36].to_owned()).collect();
    assert!(uuids.iter().all(|uuid| *uuid == uuids[0]), "{uuids:?}");
}

#[test]
fn correlation_id_may_be_a_uuid_each_time() {
    let upstream = Upstream::echo();
    let gateway = with(&upstream, "plugins: [{name: correlation-id, config: {generator: uuid}}]\n");
    gateway.get("/");
    gateway.get("/");
    let ids = upstream
        .requests()
        .iter()
        .map(|request| request.header("Kong-Request-ID").unwrap().to_owned())
        .collect::<Vec<_>>();
    assert!(ids.iter().all(|id| is_uuid(id) && &id[14..15] == "4"), "{ids:?}");
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn correlation_id_may_track_the_connection() {
    let upstream = Upstream::echo();
    let gateway = with_one_worker(&upstream, "plugins: [{name: correlation-id, config: {generator: tracker}}]\n");
    let mut connection = gateway.connect();
    let mut seen = Vec::new();
    for _ in 0..2 {
        assert_eq!(connection.request(&Request::get("/")).status, 200);
        let id = upstream.last().header("Kong-Request-ID").unwrap().to_owned();
        seen.push(id.split('-').map(str::to_owned).collect::<Vec<_>>());
    }
    let port = gateway.proxy().port().to_string();
    for (parts, request) in seen.iter().zip(["1", "2"]) {
        assert_eq!(parts.len(), 6, "{parts:?}");
        assert_eq!((parts[0].as_str(), parts[1].as_str(), parts[4].as_str()), ("127.0.0.1", port.as_str(), request));
        assert!(parts[2].parse::<u32>().is_ok() && parts[3].parse::<u64>().is_ok(), "{parts:?}");
        let (seconds, fraction) = parts[5].split_once('.').expect("a time with a fraction");
        assert!(
            seconds.parse::<u64>().is_ok_and(|seconds| seconds > 1_700_000_000) && fraction.len() == 3,
            "{parts:?}"
        );
    }
    assert_eq!(seen[0][3], seen[1][3], "the same connection");
}

#[test]
fn correlation_id_keeps_what_the_client_sent_unless_it_is_empty() {
    let upstream = Upstream::echo();
    let gateway =
        with(&upstream, "plugins: [{name: correlation-id, config: {header_name: X-Trace, echo_downstream: true}}]\n");
    let answer = gateway.send(&Request::get("/").header("x-trace", "mine"));
    assert_eq!((answer.header("X-Trace"), upstream.last().header("X-Trace")), (Some("mine"), Some("mine")));
    let answer = gateway.send(&Request::get("/").header("X-Trace", ""));
    let id = answer.header("X-Trace").expect("echoed").to_owned();
    assert_eq!(upstream.last().header("X-Trace"), Some(id.as_str()));
    assert_ne!(id, "");
}

const ECHOING: &str = "{name: correlation-id, config: {header_name: X-Trace, echo_downstream: true}}";

#[test]
fn correlation_id_is_echoed_on_refusals_and_failures() {
    let upstream = Upstream::answering(|_| Script::reset());
    let failing =
        with(&upstream, &format!("plugins: [{ECHOING}]\n")).send(&Request::get("/").header("X-Trace", "mine"));
    assert_eq!((failing.status, failing.header("X-Trace")), (502, Some("mine")));
    let gateway = with(&upstream, &format!("plugins: [{ECHOING}, {{name: key-auth}}]\n"));
    let refused = gateway.send(&Request::get("/").header("X-Trace", "mine"));
    assert_eq!((refused.status, refused.header("X-Trace")), (401, Some("mine")));
    assert!(gateway.get("/").headers.has("X-Trace"));
}

#[test]
fn correlation_id_is_echoed_on_404_only_when_global() {
    let upstream = Upstream::echo();
    let document = proxying(&upstream).replace(r#"["/"]"#, "[/known]");
    let global = Gateway::serving(&format!("{document}plugins: [{ECHOING}]\n"));
    let answer = global.get("/unknown");
    assert_eq!((answer.status, answer.headers.has("X-Trace")), (404, true));
    let scoped = Gateway::serving(&format!("{document}    plugins: [{ECHOING}]\n"));
    let answer = scoped.get("/unknown");
    assert_eq!((answer.status, answer.headers.has("X-Trace")), (404, false));
    assert!(scoped.get("/known").headers.has("X-Trace"));
}

#[test]
fn correlation_id_refuses_unknown_generators_and_fields() {
    let texts = refusal("plugins: [{name: correlation-id, config: {generator: dice}}]\n");
    assert!(texts.contains("expected one of: uuid, uuid#counter, tracker"), "{texts}");
    let texts = refusal("plugins: [{name: correlation-id, config: {header: X}}]\n");
    assert!(texts.contains("unknown field"), "{texts}");
}

// --- cors ----------------------------------------------------------------------------------------------------------------

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";

fn cors(upstream: &Upstream, config: &str) -> Gateway {
    with(upstream, &format!("plugins: [{{name: cors, config: {config}}}]\n"))
}

fn preflight(origin: &str) -> Request {
    Request::new("OPTIONS", "/").header("Origin", origin).header("Access-Control-Request-Method", "GET")
}

fn varies_by_origin(answer: &Answer) -> bool {
    answer
        .headers
        .all("Vary")
        .iter()
        .flat_map(|line| line.split(','))
        .any(|name| name.trim().eq_ignore_ascii_case("origin"))
}

#[test]
fn cors_allows_every_origin_by_default() {
    let upstream = Upstream::echo();
    for config in ["{}", "{origins: ['*']}"] {
        let gateway = cors(&upstream, config);
        for request in
            [Request::get("/"), Request::get("/").header("Origin", "http://a.test"), preflight("http://a.test")]
        {
            let answer = gateway.send(&request);
            assert_eq!((answer.status, answer.header(ALLOW_ORIGIN)), (200, Some("*")), "{config}");
            assert_eq!((varies_by_origin(&answer), answer.header("Access-Control-Allow-Credentials")), (false, None));
        }
    }
}

#[test]
fn cors_answers_a_preflight_itself() {
    let upstream = Upstream::echo();
    let gateway = cors(
        &upstream,
        "{origins: [http://a.test], headers: [X-A, X-B], methods: [GET, PUT], max_age: 60, private_network: true}",
    );
    let request = preflight("http://a.test").header("Access-Control-Request-Private-Network", "true");
    let answer = gateway.send(&request.header("Access-Control-Request-Headers", "X-C"));
    assert_eq!((answer.status, answer.body.len(), upstream.count()), (200, 0, 0));
    for (name, value) in [
        (ALLOW_ORIGIN, "http://a.test"),
        ("Access-Control-Allow-Headers", "X-A,X-B"),
        ("Access-Control-Allow-Methods", "GET,PUT"),
        ("Access-Control-Max-Age", "60"),
        ("Access-Control-Allow-Private-Network", "true"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("Access-Control-Allow-Credentials"), None);
}

#[test]
fn cors_defaults_of_a_preflight() {
    let upstream = Upstream::echo();
    let answer = cors(&upstream, "{}").send(&preflight("http://a.test"));
    let methods = "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT";
    assert_eq!(answer.header("Access-Control-Allow-Methods"), Some(methods));
    for name in ["Access-Control-Allow-Headers", "Access-Control-Max-Age", "Access-Control-Allow-Private-Network"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[test]
fn cors_proxies_options_that_are_no_preflight() {
    let upstream = Upstream::echo();
    let gateway = cors(&upstream, "{}");
    let no_origin = Request::new("OPTIONS", "/").header("Access-Control-Request-Method", "GET");
    let empty_origin = no_origin.clone().header("Origin", "");
    let no_method = Request::new("OPTIONS", "/").header("Origin", "http://a.test");
    for (count, request) in [no_origin, empty_origin, no_method].iter().enumerate() {
        assert_eq!(gateway.send(request).json()["method"], "OPTIONS");
        assert_eq!(upstream.count(), count + 1);
    }
}

#[test]
fn cors_leaves_a_continued_preflight_to_the_upstream() {
    let upstream = Upstream::answering(|_| Reply::new(204).header("X-Upstream", "1"));
    let answer = cors(&upstream, "{preflight_continue: true, credentials: true}").send(&preflight("http://a.test"));
    assert_eq!((answer.status, answer.header("X-Upstream")), (204, Some("1")));
    let added = answer.headers.names().iter().any(|name| name.to_lowercase().starts_with("access-control-"));
    assert!(!added, "{:?}", answer.headers);
}

/// Configured origins, the request's Origin, and the origin allowed.
const ORIGINS: [(&str, &str, Option<&str>); 16] = [
    ("[http://a.test]", "http://a.test", Some("http://a.test")),
    ("[http://a.test]", "http://evil.test", Some("http://a.test")),
    ("[http://a.test, http://b.test]", "http://b.test", Some("http://b.test")),
    ("[http://a.test, http://b.test]", "http://c.test", None),
    ("[http://a.test, http://b.test]", "https://b.test", None),
    ("[http://a.test, http://b.test]", "http://b.test:8080", None),
    ("[http://a.test, http://b.test]", "http://b.test:80", Some("http://b.test")),
    ("[https://a.test:443, http://b.test]", "https://a.test", Some("https://a.test")),
    ("[http://a.test, '*']", "http://c.test", Some("*")),
    (r"['.*\.a\.test', http://b.test]", "https://x.a.test", Some("https://x.a.test")),
    (r"['.*\.a\.test', http://b.test]", "https://a.test.evil.test", None),
    (r"['.*\.a\.test', http://b.test]", "https://x.a.test.evil.test", None),
    (r"['http://.*\.a\.test']", "http://x.a.test", Some("http://x.a.test")),
    (r"['http://.*\.a\.test']", "https://x.a.test", None),
    (r"['http://.*\.a\.test']", "http://evil.test/http://x.a.test", None),
    (r"['(https?://)?(x|y)\.test']", "null", None),
];

#[test]
fn cors_allows_the_origins_that_are_listed() {
    let upstream = Upstream::answering(|_| Reply::ok("").header(ALLOW_ORIGIN, "http://upstream.test"));
    for (configured, origin, allowed) in ORIGINS {
        let gateway = cors(&upstream, &format!("{{origins: {configured}}}"));
        for request in [Request::get("/").header("Origin", origin), preflight(origin)] {
            let answer = gateway.send(&request);
            assert_eq!((answer.status, answer.header(ALLOW_ORIGIN)), (200, allowed), "{configured} {origin}");
            assert!(varies_by_origin(&answer), "{configured} {origin}: {:?}", answer.headers);
        }
    }
}

#[test]
fn cors_names_the_origin_when_credentials_are_allowed() {
    let upstream = Upstream::echo();
    let gateway = cors(&upstream, "{credentials: true}");
    for request in [Request::get("/").header("Origin", "http://a.test"), preflight("http://a.test")] {
        let answer = gateway.send(&request);
        assert_eq!(answer.header(ALLOW_ORIGIN), Some("http://a.test"));
        assert_eq!(answer.header("Access-Control-Allow-Credentials"), Some("true"));
        assert!(varies_by_origin(&answer));
    }
}

#[test]
fn cors_exposes_headers_except_to_preflights() {
    let upstream = Upstream::echo();
    let gateway = cors(&upstream, "{exposed_headers: [X-A, X-B]}");
    let name = "Access-Control-Expose-Headers";
    assert_eq!(gateway.send(&Request::get("/").header("Origin", "http://a.test")).header(name), Some("X-A,X-B"));
    assert_eq!(gateway.send(&preflight("http://a.test")).header(name), None);
}

#[test]
fn cors_keeps_the_vary_of_the_upstream() {
    let upstream = Upstream::answering(|_| Reply::ok("").header("Vary", "Accept-Encoding"));
    let answer = cors(&upstream, "{origins: [http://a.test]}").get("/");
    let all = answer.headers.all("Vary").join(", ");
    assert!(all.contains("Accept-Encoding") && all.contains("Origin"), "{all}");
}

#[test]
fn cors_marks_refusals_failures_and_404_too() {
    let upstream = Upstream::answering(|_| Script::reset());
    let document = proxying(&upstream).replace(r#"["/"]"#, "[/known]");
    let cors = "{name: cors, config: {origins: [http://a.test]}}";
    let gateway = Gateway::serving(&format!("{document}plugins: [{cors}]\n"));
    for (path, status) in [("/known", 502), ("/unknown", 404)] {
        let answer = gateway.get(path);
        assert_eq!((answer.status, answer.header(ALLOW_ORIGIN)), (status, Some("http://a.test")));
    }
    let gateway = Gateway::serving(&format!("{document}plugins: [{cors}, {{name: key-auth}}]\n"));
    let answer = gateway.get("/known");
    assert_eq!((answer.status, answer.header(ALLOW_ORIGIN)), (401, Some("http://a.test")));
}

#[test]
fn cors_lets_preflights_pass_in_front_of_authentication() {
    let upstream = Upstream::echo();
    let gateway = with(&upstream, "plugins: [{name: cors}, {name: key-auth}]\n");
    assert_eq!(gateway.send(&preflight("http://a.test")).status, 200);
    assert_eq!(gateway.send(&Request::get("/").header("Origin", "http://a.test")).status, 401);
}

// --- key-auth ------------------------------------------------------------------------------------------------------------

const CONSUMERS: &str = r"
consumers:
- id: 6b1d4d0e-7d0b-4a30-9f0e-2f6a4a4f0001
  username: alice
  custom_id: a-1
  keyauth_credentials:
  - {id: 6b1d4d0e-7d0b-4a30-9f0e-2f6a4a4f0002, key: alice-key}
- id: 6b1d4d0e-7d0b-4a30-9f0e-2f6a4a4f0003
  username: nobody
";

fn key_auth(upstream: &Upstream, config: &str) -> Gateway {
    with(upstream, &format!("{CONSUMERS}plugins: [{{name: key-auth, config: {config}}}]\n"))
}

#[track_caller]
fn assert_unauthorized(answer: &Answer, message: &str, challenge: &str) {
    assert_eq!((answer.status, answer.message().as_str()), (401, message));
    assert_eq!(answer.header("WWW-Authenticate"), Some(challenge));
    assert_eq!(answer.json()["request_id"].as_str(), answer.header("X-Kong-Request-Id"));
}

#[test]
fn key_auth_says_why_it_refuses() {
    let upstream = Upstream::echo();
    let gateway = key_auth(&upstream, "{}");
    let get = || Request::get("/");
    for (request, message) in [
        (get(), "No API key found in request"),
        (get().header("apikey", ""), "No API key found in request"),
        (Request::get("/?apikey="), "No API key found in request"),
        (get().header("apikey", "alice-key").header("apikey", "alice-key"), "Duplicate API key found"),
        (Request::get("/?apikey=alice-key&apikey=alice-key"), "Duplicate API key found"),
        (get().header("apikey", "wrong"), "Unauthorized"),
        (get().header("apikey", "ALICE-KEY"), "Unauthorized"),
        (get().header("apikey", "6b1d4d0e-7d0b-4a30-9f0e-2f6a4a4f0002"), "Unauthorized"),
    ] {
        assert_unauthorized(&gateway.send(&request), message, "Key");
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn key_auth_names_its_realm_when_it_has_one() {
    let upstream = Upstream::echo();
    let gateway = key_auth(&upstream, "{realm: shop}");
    assert_unauthorized(&gateway.get("/"), "No API key found in request", "Key realm=\"shop\"");
}

#[test]
fn key_auth_refuses_in_the_form_that_accept_asks_for() {
    let upstream = Upstream::echo();
    let answer = key_auth(&upstream, "{}").send(&Request::get("/").header("Accept", "text/html"));
    assert_eq!((answer.status, answer.header("Content-Type")), (401, Some("text/html; charset=utf-8")));
    assert!(answer.text().contains("<p>No API key found in request.</p>"), "{}", answer.text());
}

#[test]
fn key_auth_finds_the_key_in_header_and_query() {
    let upstream = Upstream::echo();
    let gateway = key_auth(&upstream, "{key_names: [X-API-Key, token]}");
    for request in [
        Request::get("/").header("x-api-key", "alice-key"),
        Request::get("/").header("Token", "alice-key"),
        Request::get("/?X-API-Key=alice-key"),
        Request::get("/?a=b&token=alice%2Dkey"),
    ] {
        assert_eq!(gateway.send(&request).status, 200, "{request:?}");
    }
    assert_eq!(gateway.send(&Request::get("/").header("apikey", "alice-key")).status, 401);
}

#[test]
fn key_auth_looks_only_where_it_is_told() {
    let upstream = Upstream::echo();
    let (in_header, in_query) = (Request::get("/").header("apikey", "alice-key"), Request::get("/?apikey=alice-key"));
    for (config, header, query) in [("{key_in_query: false}", 200, 401), ("{key_in_header: false}", 401, 200)] {
        let gateway = key_auth(&upstream, config);
        assert_eq!((gateway.send(&in_header).status, gateway.send(&in_query).status), (header, query), "{config}");
    }
}

#[test]
fn key_auth_finds_the_key_in_the_body_when_told() {
    let upstream = Upstream::echo();
    let form = Request::post("/", "a=b&apikey=alice-key").header("Content-Type", "application/x-www-form-urlencoded");
    let json = Request::post("/", r#"{"apikey":"alice-key"}"#).header("Content-Type", "application/json");
    let gateway = key_auth(&upstream, "{key_in_body: true}");
    for request in [&form, &json] {
        assert_eq!(gateway.send(request).status, 200, "{request:?}");
    }
    assert_eq!(upstream.requests()[0].body, b"a=b&apikey=alice-key");
    assert_eq!(key_auth(&upstream, "{}").send(&form).status, 401);
}

#[test]
fn key_auth_names_the_consumer_to_the_upstream() {
    let upstream = Upstream::echo();
    assert_eq!(key_auth(&upstream, "{}").send(&Request::get("/").header("apikey", "alice-key")).status, 200);
    let received = upstream.only();
    for (name, value) in [
        ("X-Consumer-ID", Some("6b1d4d0e-7d0b-4a30-9f0e-2f6a4a4f0001")),
        ("X-Consumer-Username", Some("alice")),
        ("X-Consumer-Custom-ID", Some("a-1")),
        ("X-Credential-Identifier", Some("6b1d4d0e-7d0b-4a30-9f0e-2f6a4a4f0002")),
        ("X-Anonymous-Consumer", None),
        ("apikey", Some("alice-key")),
    ] {
        assert_eq!(received.header(name), value, "{name}");
    }
}

#[test]
fn key_auth_hides_the_key_when_told() {
    let upstream = Upstream::echo();
    let gateway = key_auth(&upstream, "{hide_credentials: true}");
    assert_eq!(gateway.send(&Request::get("/").header("apikey", "alice-key")).status, 200);
    assert_eq!(upstream.last().header("apikey"), None);
    for (target, expected) in [("/?apikey=alice-key&a=b", "/?a=b"), ("/?a=b&apikey=alice-key&c=d", "/?a=b&c=d")] {
        assert_eq!(gateway.get(target).status, 200);
        assert_eq!(upstream.last().path, expected, "{target}");
    }
    assert_eq!(gateway.get("/?apikey=alice-key").status, 200);
    assert_eq!(upstream.last().path.trim_end_matches('?'), "/");
}

#[test]
fn key_auth_lets_strangers_in_as_the_anonymous_consumer() {
    let upstream = Upstream::echo();
    for anonymous in ["nobody", "6b1d4d0e-7d0b-4a30-9f0e-2f6a4a4f0003"] {
        let gateway = key_auth(&upstream, &format!("{{anonymous: {anonymous}}}"));
        let spoofed = Request::get("/").header("X-Credential-Identifier", "x").header("X-Consumer-Custom-ID", "x");
        for request in [spoofed, Request::get("/").header("apikey", "wrong")] {
            assert_eq!(gateway.send(&request).status, 200);
            let received = upstream.last();
            assert_eq!(received.header("X-Anonymous-Consumer"), Some("true"));
            assert_eq!(received.header("X-Consumer-Username"), Some("nobody"));
            assert_eq!(received.header("X-Consumer-ID"), Some("6b1d4d0e-7d0b-4a30-9f0e-2f6a4a4f0003"));
            assert_eq!(
                (received.header("X-Credential-Identifier"), received.header("X-Consumer-Custom-ID")),
                (None, None)
            );
        }
        assert_eq!(gateway.send(&Request::get("/").header("apikey", "alice-key")).status, 200);
        assert_eq!(upstream.last().header("X-Consumer-Username"), Some("alice"));
        assert_eq!(upstream.last().header("X-Anonymous-Consumer"), None);
    }
}

#[test]
fn key_auth_with_an_anonymous_consumer_that_does_not_exist_is_500() {
    let upstream = Upstream::echo();
    let answer = key_auth(&upstream, "{anonymous: ghost}").get("/");
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("anonymous consumer ghost is configured but doesn't exist"), "{}", answer.text());
    assert_eq!(upstream.count(), 0);
}

#[test]
fn key_auth_asks_options_too_unless_told() {
    let upstream = Upstream::echo();
    let options = Request::new("OPTIONS", "/");
    assert_eq!(key_auth(&upstream, "{}").send(&options).status, 401);
    assert_eq!(key_auth(&upstream, "{run_on_preflight: false}").send(&options).status, 200);
    assert_eq!(key_auth(&upstream, "{run_on_preflight: false}").get("/").status, 401);
}

#[test]
fn key_auth_keys_may_stand_at_the_top_level_and_are_unique() {
    let upstream = Upstream::echo();
    let text = "consumers: [{username: alice}]\nkeyauth_credentials: [{consumer: alice, key: k}]\nplugins: [{name: key-auth}]\n";
    assert_eq!(with(&upstream, text).send(&Request::get("/").header("apikey", "k")).status, 200);
    let texts = refusal(
        "consumers: [{username: a, keyauth_credentials: [{key: k}]}, {username: b, keyauth_credentials: [{key: k}]}]\n",
    );
    assert!(texts.contains("'keyauth_credentials' entity with key set to 'k' already declared"), "{texts}");
}

#[test]
fn key_auth_cannot_be_scoped_to_a_consumer() {
    let texts = refusal("consumers: [{username: alice}]\nplugins: [{name: key-auth, consumer: alice}]\n");
    assert!(texts.contains("value must be null"), "{texts}");
}
