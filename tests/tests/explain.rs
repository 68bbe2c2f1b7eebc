//! What is told of a request beforehand is what becomes of it.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};
use towergate_tests::{Gateway, Request, Upstream, run};

/// Routes that compete, plugins of every scope, a service of its own and one with an upstream.
fn document(upstream: &Upstream) -> String {
    let address = upstream.address();
    format!(
        "_format_version: \"3.0\"
upstreams:
- name: pool
  algorithm: least-connections
  host_header: pool.internal
  targets:
  - {{target: '{address}', weight: 100}}
  - {{target: '127.0.0.1:1', weight: 0}}
services:
- name: orders
  url: http://pool/base
  routes:
  - {{name: orders-short, paths: [/orders]}}
  - {{name: orders-long, paths: [/orders/big], methods: [GET, POST], strip_path: false}}
  - {{name: orders-regex, paths: ['~/orders/(?<id>\\d+)$'], regex_priority: 5}}
  - {{name: orders-host, hosts: [api.example.com], paths: [/orders]}}
  plugins:
  - {{name: rate-limiting, config: {{minute: 20, policy: local}}}}
- name: plain
  url: http://{address}
  routes:
  - {{name: kept, paths: [/kept], preserve_host: true, strip_path: false}}
  - {{name: secure, paths: [/secure], protocols: [https]}}
routes:
- {{name: nowhere-to-go, paths: [/alone]}}
consumers:
- username: alice
  custom_id: a-1
  keyauth_credentials: [{{key: alice-key}}]
  plugins:
  - {{name: rate-limiting, config: {{minute: 5, policy: local}}}}
- username: bob
  keyauth_credentials: [{{key: bob-key}}]
plugins:
- {{name: correlation-id, config: {{header_name: X-Id}}}}
- {{name: key-auth, route: orders-long}}
- {{name: rate-limiting, route: orders-long, config: {{minute: 10, policy: local}}}}
- {{name: rate-limiting, config: {{minute: 100, policy: redis, redis: {{host: r, password: hunter2}}}}}}
- {{name: cors, enabled: false, route: orders-long}}
- {{name: request-termination, route: nowhere-to-go, config: {{status_code: 204}}}}
"
    )
}

fn ask(gateway: &Gateway, question: &Value) -> Value {
    let request = Request::post("/explain", question.to_string()).header("Content-Type", "application/json");
    let answer = gateway.ask_admin(&request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The plugins that run, each with what of its configuration tells it from the others.
fn plugins(explained: &Value) -> Vec<String> {
    let shown = |plugin: &Value| match plugin["set"]["minute"].as_u64() {
        Some(minute) => format!("{}:{minute}", plugin["name"].as_str().unwrap()),
        None => plugin["name"].as_str().unwrap().to_owned(),
    };
    explained["plugins"].as_array().unwrap().iter().map(shown).collect()
}

#[test]
fn the_route_that_is_told_is_the_one_that_serves() {
    let upstream = Upstream::echo();
    let gateway = Gateway::with(&document(&upstream)).setting("allow_debug_header", "on").start();
    for (target, host) in [
        ("/orders", "x.test"),
        ("/orders/7", "x.test"),
        ("/orders/big/1", "x.test"),
        ("/orders/7", "api.example.com"),
        ("/orders//7", "API.example.com:80"),
        ("/kept/../kept/x", "x.test"),
        ("/none", "x.test"),
    ] {
        let request = Request::get(target).header("Host", host).header("Kong-Debug", "1").header("apikey", "bob-key");
        let served = gateway.send(&request);
        let explained = ask(&gateway, &json!({ "url": target, "headers": { "Host": host } }));
        assert_eq!(explained["route"]["name"].as_str(), served.header("Kong-Route-Name"), "{host}{target}");
        match explained["answer"]["status"].as_u64() {
            Some(status) => assert_eq!(status, u64::from(served.status), "{host}{target}"),
            None => {
                assert_eq!(served.status, 200, "{host}{target}: {}", served.text());
                let (told, got) = (explained["upstream"]["url"].as_str().unwrap(), upstream.last());
                assert_eq!(told, format!("http://{}{}", upstream.address(), got.path), "{host}{target}");
                assert_eq!(explained["upstream"]["host_header"].as_str(), got.header("Host"), "{host}{target}");
            }
        }
    }
}

#[test]
fn what_was_compared_is_told_with_what_decided() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&document(&upstream));
    let explained = ask(&gateway, &json!({ "method": "POST", "url": "http://x.test/orders/big" }));
    let told: Vec<_> =
        explained["candidates"].as_array().unwrap().iter().map(|one| [&one["route"], &one["why"]]).collect();
    assert_eq!(told[0], [&json!("orders-long"), &json!("chosen")]);
    let second = "matches, but the chosen one goes first: it has conditions of 2 kinds, against 1";
    assert_eq!(told[1], [&json!("orders-short"), &json!(second)]);
    assert!(told.contains(&[&json!("orders-host"), &json!("does not match: hosts")]), "{told:?}");
    let explained = ask(&gateway, &json!({ "url": "http://x.test/orders/42" }));
    let why = explained["candidates"][1]["why"].as_str().unwrap();
    assert!(why.ends_with("a regular expression goes before a prefix"), "{why}");
    assert_eq!(
        (&explained["route"]["name"], &explained["route"]["captures"]),
        (&json!("orders-regex"), &json!(["42"]))
    );
}

#[test]
fn plugins_are_told_in_their_order_with_whose_configuration() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&document(&upstream));
    for (question, expected) in [
        (json!({ "url": "/orders" }), &["correlation-id", "rate-limiting:20"][..]),
        (json!({ "url": "/kept" }), &["correlation-id", "rate-limiting:100"]),
        (json!({ "url": "/orders/big" }), &["correlation-id", "key-auth", "rate-limiting:10"]),
        (json!({ "url": "/orders/big", "consumer": "alice" }), &["correlation-id", "key-auth", "rate-limiting:5"]),
        (json!({ "url": "/orders/big", "consumer": "a-1" }), &["correlation-id", "key-auth", "rate-limiting:5"]),
        (json!({ "url": "/orders/big", "consumer": "bob" }), &["correlation-id", "key-auth", "rate-limiting:10"]),
        // Nothing finds out there who asks.
        (json!({ "url": "/orders", "consumer": "alice" }), &["correlation-id", "rate-limiting:20"]),
        (json!({ "url": "/none" }), &["correlation-id", "rate-limiting:100"]),
    ] {
        let explained = ask(&gateway, &question);
        assert_eq!(plugins(&explained), expected, "{question}");
    }
    let explained = ask(&gateway, &json!({ "url": "/orders/big", "consumer": "alice" }));
    assert_eq!(explained["plugins"][2]["scope"], "consumer alice");
    let passed: Vec<_> =
        explained["passed_over"].as_array().unwrap().iter().map(|one| [&one["scope"], &one["why"]]).collect();
    let before = json!("the one for consumer alice goes before it");
    assert!(passed.contains(&[&json!("route orders-long"), &before]), "{passed:?}");
    assert!(passed.contains(&[&json!("route orders-long"), &json!("it is switched off")]), "{passed:?}");
    // What is told of bob is what happens to him.
    let limit = |key: &str| {
        let answer = gateway.send(&Request::get("/orders/big").header("apikey", key));
        answer.header("X-RateLimit-Limit-Minute").unwrap().to_owned()
    };
    assert_eq!((limit("alice-key").as_str(), limit("bob-key").as_str()), ("5", "10"));
}

#[test]
fn secrets_are_not_told() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&document(&upstream));
    let explained = ask(&gateway, &json!({ "url": "/kept" })).to_string();
    assert!(explained.contains("******") && !explained.contains("hunter2"), "{explained}");
}

#[test]
fn targets_are_told_with_their_weight_and_health() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&document(&upstream));
    let explained = ask(&gateway, &json!({ "url": "/orders/1?a=b" }));
    let shown = &explained["upstream"];
    assert_eq!((&shown["upstream"], &shown["algorithm"]), (&json!("pool"), &json!("least-connections")));
    assert_eq!(shown["targets"][0]["health"], "HEALTHCHECKS_OFF");
    assert_eq!((&shown["targets"][1]["weight"], &shown["targets"][1]["target"]), (&json!(0), &json!("127.0.0.1:1")));
    assert_eq!(shown["url"], format!("http://{}/base?a=b", upstream.address()));
}

#[test]
fn what_the_gateway_answers_itself_is_told() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&document(&upstream));
    for (url, status, message) in [
        ("http://x.test/none", 404, "no Route matched with those values"),
        ("http://x.test/secure", 426, "Please use HTTPS protocol"),
    ] {
        let explained = ask(&gateway, &json!({ "url": url }));
        assert_eq!(explained["answer"], json!({ "status": status, "message": message }), "{url}");
        assert!(explained["upstream"].is_null(), "{url}");
        let served = gateway.get(url.trim_start_matches("http://x.test"));
        assert_eq!((u64::from(served.status), served.message().as_str()), (status, message), "{url}");
    }
    assert!(ask(&gateway, &json!({ "url": "https://x.test/secure" }))["answer"].is_null());
}

#[test]
fn a_question_that_makes_no_sense_is_answered_so() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&document(&upstream));
    for (question, told) in [
        ("{", "Failed to parse"),
        ("{\"uri\":\"/\"}", "unknown field `uri`"),
        ("{\"url\":\"ftp://h/\"}", "'ftp' is no scheme"),
        ("{\"url\":\"/..\"}", "the path is answered with 400"),
        ("{\"url\":\"/\",\"consumer\":\"eve\"}", "no consumer has the user name, id or custom_id 'eve'"),
        ("{\"url\":\"/\",\"consumer_groups\":[\"gold\"]}", "no consumer group has the name or id 'gold'"),
        ("{\"url\":\"/\",\"method\":\"G T\"}", "'G T' is no method"),
    ] {
        let answer = gateway.ask_admin(&Request::post("/explain", question).header("Content-Type", "application/json"));
        assert_eq!(answer.status, 400, "{question}: {}", answer.text());
        assert!(answer.message().contains(told), "{question}: {}", answer.text());
    }
}

// --- the command ---------------------------------------------------------------------------------------------------------

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_tells_people_and_programs() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yml");
    fs::write(&file, document(&upstream)).unwrap();
    let file = file.to_str().unwrap();
    let (code, out, error) =
        said(&run(&["explain", "GET", "https://x.test/orders/big/1", "-f", file, "--consumer", "alice"]));
    assert_eq!(code, Some(0), "{error}");
    for line in [
        "Request   GET https://x.test:443/orders/big/1",
        "Route     orders-long",
        "          methods: GET, POST",
        "          of the path it matched /orders/big",
        "       3  rate-limiting, for consumer alice (PRIORITY 910, guard)",
        "            minute: 5",
        "       -  rate-limiting, for route orders-long, does not apply: the one for consumer alice goes before it",
        &format!("          Host: pool.internal:{}", upstream.address().port()),
        "          of the service orders, upstream pool, least-connections",
    ] {
        assert!(out.lines().any(|known| known == line), "{line}\n--- in:\n{out}");
    }
    let (code, out, _) = said(&run(&["explain", "/orders", "-H", "Host: api.example.com", "-f", file, "--json"]));
    let parsed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &parsed["route"]["name"]), (Some(0), &json!("orders-host")));
    let (code, _, error) = said(&run(&["explain", "ftp://h/", "-f", file]));
    assert!(code == Some(1) && error.starts_with("Error: 'ftp' is no scheme"), "{error}");
}

#[test]
fn the_command_asks_a_gateway_that_runs() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&document(&upstream));
    let prefix = gateway.prefix();
    let (code, out, error) = said(&run(&["explain", "/orders", "--running", "-p", prefix.to_str().unwrap()]));
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains(&format!("target {}, weight 100, HEALTHCHECKS_OFF", upstream.address())), "{out}");
    let (code, _, error) = said(&run(&["explain", "/..", "--running", "-p", prefix.to_str().unwrap()]));
    assert!(code == Some(1) && error.contains("the path is answered with 400"), "{error}");
}
