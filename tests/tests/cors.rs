//! The rarer rows of cors and correlation-id; the usual ones are in `plugins.rs`.

use towergate_tests::{Answer, Gateway, Reply, Request, Upstream, proxying, run};

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";

fn cors(upstream: &Upstream, config: &str) -> Gateway {
    Gateway::serving(&format!("{}plugins: [{{name: cors, config: {config}}}]\n", proxying(upstream)))
}

fn preflight(target: &str) -> Request {
    Request::new("OPTIONS", target).header("Origin", "http://a.test").header("Access-Control-Request-Method", "PUT")
}

/// The names of the answer's CORS headers.
fn told(answer: &Answer) -> Vec<String> {
    let mut names: Vec<_> = answer.headers.names().into_iter().map(str::to_ascii_lowercase).collect();
    names.retain(|name| name.starts_with("access-control-"));
    names.sort();
    names
}

#[test]
fn without_an_origin_a_response_may_be_left_alone() {
    let upstream = Upstream::answering(|_| Reply::ok("").header(ALLOW_ORIGIN, "http://own.test"));
    let gateway = cors(&upstream, "{allow_origin_absent: false, exposed_headers: [X-A]}");
    for request in [Request::get("/"), Request::get("/").header("Origin", "")] {
        let answer = gateway.send(&request);
        assert_eq!((answer.header(ALLOW_ORIGIN), told(&answer).len()), (Some("http://own.test"), 1));
    }
    let asked = gateway.send(&Request::get("/").header("Origin", "http://a.test"));
    assert_eq!((asked.header(ALLOW_ORIGIN), told(&asked).len()), (Some("*"), 2));
    let gateway = cors(&upstream, "{allow_origin_absent: true}");
    assert_eq!(gateway.get("/").header(ALLOW_ORIGIN), Some("*"));
}

#[test]
fn a_preflight_gets_the_headers_it_asks_for_and_private_networks_if_it_asks() {
    let upstream = Upstream::echo();
    let gateway = cors(&upstream, "{private_network: true, credentials: true, methods: []}");
    let answer = gateway.send(&preflight("/").header("Access-Control-Request-Headers", "X-B, x-c"));
    assert_eq!(answer.header("Access-Control-Allow-Headers"), Some("X-B, x-c"));
    assert_eq!(answer.header("Access-Control-Allow-Private-Network"), None);
    assert_eq!(answer.header("Access-Control-Allow-Methods"), Some(""), "as configured");
    assert_eq!(answer.header("Access-Control-Allow-Credentials"), Some("true"));
    assert_eq!((answer.header(ALLOW_ORIGIN), answer.header("Vary")), (Some("http://a.test"), Some("Origin")));
    for (asks, allowed) in [("true", Some("true")), ("false", None)] {
        let answer = gateway.send(&preflight("/").header("Access-Control-Request-Private-Network", asks));
        assert_eq!(answer.header("Access-Control-Allow-Private-Network"), allowed);
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_preflight_from_elsewhere_is_answered_but_not_told_its_origin() {
    let upstream = Upstream::echo();
    let answer =
        cors(&upstream, r"{origins: [http://b.test, 'http://c\.test'], credentials: true}").send(&preflight("/"));
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(told(&answer), ["access-control-allow-credentials", "access-control-allow-methods"]);
}

#[test]
fn a_route_without_options_has_no_preflight_and_check_says_so() {
    let upstream = Upstream::echo();
    let document = format!("{}    methods: [GET, PUT]\nplugins: [{{name: cors}}]\n", proxying(&upstream));
    let gateway = Gateway::serving(&document);
    let answer = gateway.send(&preflight("/"));
    assert_eq!((answer.status, answer.message().as_str()), (404, "no Route matched with those values"));
    assert_eq!(told(&answer), ["access-control-allow-origin"], "as on any other 404");
    let output = run(&["check", gateway.document_path().to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("a browser's preflight request gets 404; add OPTIONS to `methods`"), "{said}");
}

#[test]
fn correlation_id_may_be_a_consumers_own_only_behind_authentication() {
    let upstream = Upstream::echo();
    let document = format!(
        "{}consumers: [{{username: alice, keyauth_credentials: [{{key: k}}], plugins: [{{name: correlation-id, config: {{header_name: X-Own}}}}]}}]\nplugins: [{{name: key-auth}}, {{name: correlation-id}}]\n",
        proxying(&upstream)
    );
    assert_eq!(Gateway::serving(&document).send(&Request::get("/").header("apikey", "k")).status, 200);
    let received = upstream.only();
    assert!(received.headers.has("Kong-Request-ID") && !received.headers.has("X-Own"), "it runs before");
}
