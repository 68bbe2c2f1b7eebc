//! The Admin API as controllers, deck and scripts use it on a gateway without a database.

use std::time::Duration;

use serde_json::{Value, json};
use towergate_tests::{Answer, Gateway, KONG_VERSION, PRODUCT, Request, Upstream, proxying};

const EMPTY: &str = "_format_version: \"3.0\"\n";
const JSON: &str = "application/json; charset=utf-8";

fn ask(gateway: &Gateway, method: &str, path: &str) -> Answer {
    gateway.ask_admin(&Request::new(method, path))
}

fn post(gateway: &Gateway, path: &str, content_type: &str, body: &str) -> Answer {
    gateway.ask_admin(&Request::post(path, body).header("Content-Type", content_type))
}

fn post_json(gateway: &Gateway, path: &str, body: &Value) -> Answer {
    post(gateway, path, "application/json", &body.to_string())
}

// --- plugins --------------------------------------------------------------------------------------------------------------

#[test]
fn a_plugin_without_state_tells_null() {
    let gateway = Gateway::serving("_format_version: \"3.0\"\nplugins: [{name: cors, instance_name: pages}]\n");
    let answer = ask(&gateway, "GET", "/plugins/pages/state");
    assert_eq!(
        (answer.status, answer.json()["name"].clone(), answer.json()["state"].clone()),
        (200, json!("cors"), Value::Null)
    );
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(ask(&gateway, "GET", &format!("/plugins/{id}/state")).json(), answer.json());
    assert_eq!(ask(&gateway, "GET", "/plugins/cors/state").status, 404, "a plugin's name is not the name of one");
    assert_eq!(ask(&gateway, "DELETE", "/plugins/pages/state").status, 405);
}

// --- every answer --------------------------------------------------------------------------------------------------------

#[test]
fn every_answer_says_who_and_how_long() {
    let gateway = Gateway::serving(EMPTY);
    for (method, path) in
        [("GET", "/"), ("GET", "/status"), ("GET", "/nowhere"), ("PUT", "/status"), ("POST", "/config")]
    {
        let answer = ask(&gateway, method, path);
        assert_eq!(answer.header("Server"), Some(PRODUCT), "{method} {path}");
        assert!(
            answer.header("X-Kong-Admin-Latency").is_some_and(|value| value.parse::<u64>().is_ok()),
            "{method} {path}"
        );
    }
}

#[test]
fn answers_are_json() {
    let gateway = Gateway::serving(EMPTY);
    for path in ["/", "/status", "/nowhere"] {
        let answer = ask(&gateway, "GET", path);
        assert_eq!(answer.header("Content-Type"), Some(JSON), "{path}");
        assert!(answer.json().is_object(), "{path}");
    }
}

#[test]
fn pages_the_settings_name_may_read() {
    let (allow, credentials) = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials");
    let gateway = Gateway::with(EMPTY).setting("admin_gui_url", "http://manager.test/manager").start();
    for (origin, allowed) in [("http://manager.test", true), ("http://evil.test", false)] {
        let answer = gateway.ask_admin(&Request::get("/status").header("Origin", origin));
        assert_eq!((answer.status, answer.header(allow)), (200, allowed.then_some(origin)), "{origin}");
        assert_eq!(answer.header(credentials), allowed.then_some("true"), "{origin}");
    }
    let preflight = Request::new("OPTIONS", "/config").header("Origin", "http://manager.test");
    let answer = gateway.ask_admin(&preflight.header("Access-Control-Request-Headers", "Kong-Admin-Token"));
    assert_eq!(answer.header("Access-Control-Allow-Headers"), Some("Kong-Admin-Token"));
}

/// Kong lets every page read; here a page of this machine may, and a stranger's may not.
#[test]
fn without_settings_pages_of_this_machine_may_read() {
    let allow = "Access-Control-Allow-Origin";
    let gateway = Gateway::serving(EMPTY);
    assert_eq!(ask(&gateway, "GET", "/status").header(allow), Some("*"));
    for (origin, allowed) in [
        ("http://localhost:8002", true),
        ("http://127.0.0.1:3000", true),
        ("http://gateway.test", true),
        ("http://manager.test", false),
        ("null", false),
    ] {
        let answer = gateway.ask_admin(&Request::get("/status").header("Origin", origin));
        assert_eq!((answer.status, answer.header(allow)), (200, allowed.then_some(origin)), "{origin}");
    }
}

#[test]
fn options_lists_the_methods() {
    let gateway = Gateway::serving(EMPTY);
    let answer = ask(&gateway, "OPTIONS", "/config");
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    for name in ["Allow", "Access-Control-Allow-Methods"] {
        let methods = answer.header(name).unwrap_or_default();
        assert!(methods.contains("GET") && methods.contains("POST"), "{name}: {methods}");
    }
    assert_eq!(answer.header("Access-Control-Allow-Headers"), Some("Content-Type"));
}

#[test]
fn head_is_get_without_the_body() {
    let gateway = Gateway::serving(EMPTY);
    for path in ["/", "/status", "/config"] {
        let answer = ask(&gateway, "HEAD", path);
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
    assert_eq!(ask(&gateway, "HEAD", "/nowhere").status, 404);
}

#[test]
fn headers_off_silences_the_admin_api_too() {
    let gateway = Gateway::with(EMPTY).setting("headers", "off").start();
    let answer = ask(&gateway, "GET", "/status");
    assert_eq!((answer.status, answer.header("Server"), answer.header("X-Kong-Admin-Latency")), (200, None, None));
}

#[test]
fn a_trailing_slash_does_not_matter() {
    let gateway = Gateway::serving(EMPTY);
    for path in ["/status/", "/config/"] {
        assert_eq!(ask(&gateway, "GET", path).status, 200, "{path}");
    }
}

#[test]
fn unknown_paths_are_404() {
    let gateway = Gateway::serving(EMPTY);
    for path in ["/nowhere", "/status/x/y", "/config/x"] {
        let answer = ask(&gateway, "GET", path);
        assert_eq!((answer.status, answer.json()), (404, json!({"message": "Not found"})), "{path}");
    }
}

#[test]
fn wrong_methods_are_405() {
    let gateway = Gateway::serving(EMPTY);
    for (method, path) in
        [("POST", "/"), ("DELETE", "/"), ("PUT", "/status"), ("PATCH", "/config"), ("DELETE", "/config")]
    {
        let answer = ask(&gateway, method, path);
        assert_eq!((answer.status, answer.json()), (405, json!({"message": "Method not allowed"})), "{method} {path}");
    }
}

#[test]
fn robots_stay_out() {
    let answer = ask(&Gateway::serving(EMPTY), "GET", "/robots.txt");
    assert_eq!((answer.status, answer.text().as_str()), (200, "User-agent: *\nDisallow: /"));
}

// --- GET / ---------------------------------------------------------------------------------------------------------------

#[test]
fn the_root_tells_the_dialect_and_the_node() {
    let mut gateway = Gateway::serving(EMPTY);
    let root = ask(&gateway, "GET", "/").json();
    assert_eq!(root["version"], KONG_VERSION);
    assert_eq!(root["edition"], "community");
    assert_eq!(root["configuration"]["database"], "off");
    assert_eq!(root["configuration"]["router_flavor"], "traditional_compatible");
    assert_eq!(root["node_id"].as_str().map(str::len), Some(36));
    assert!(root["tagline"].is_string() && root["hostname"].is_string() && root["lua_version"].is_string(), "{root}");
    assert!(root["timers"].is_object() && root["pids"].is_object(), "{root}");
    assert!(root.to_string().contains(env!("CARGO_PKG_VERSION")), "our own version stands beside Kong's: {root}");
    assert!(gateway.is_running());
}

#[test]
fn the_root_tells_which_plugins_there_are_and_which_are_used() {
    let gateway = Gateway::serving(&format!("{EMPTY}plugins: [{{name: cors}}]\n"));
    let plugins = ask(&gateway, "GET", "/").json()["plugins"].clone();
    for (name, priority) in [("correlation-id", 100_001), ("cors", 2_000), ("key-auth", 1_250)] {
        let plugin = &plugins["available_on_server"][name];
        assert_eq!(plugin["priority"], priority, "{name}");
        assert!(plugin["version"].is_string(), "{name}");
    }
    assert_eq!(plugins["enabled_in_cluster"], json!(["cors"]));
}

#[test]
fn the_root_tells_no_secret() {
    let gateway = Gateway::with(EMPTY).setting("pg_password", "topsecret").start();
    let answer = ask(&gateway, "GET", "/");
    assert_eq!(answer.status, 200);
    assert!(!answer.text().contains("topsecret"));
}

// --- GET /status ---------------------------------------------------------------------------------------------------------

#[test]
fn status_counts_connections_and_requests() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let before = ask(&gateway, "GET", "/status").json();
    for _ in 0..5 {
        gateway.get("/");
    }
    let after = ask(&gateway, "GET", "/status").json();
    for name in ["accepted", "active", "handled", "reading", "waiting", "writing"] {
        assert!(after["server"][format!("connections_{name}")].is_u64(), "{name}: {after}");
    }
    let grown =
        after["server"]["total_requests"].as_u64().unwrap() - before["server"]["total_requests"].as_u64().unwrap();
    assert!(grown >= 5, "{before} {after}");
    assert!(
        after["memory"]["workers_lua_vms"].is_array() && after["memory"]["lua_shared_dicts"].is_object(),
        "{after}"
    );
}

#[test]
fn status_tells_the_hash_of_the_configuration() {
    let gateway = Gateway::serving(EMPTY);
    let first = gateway.configuration_hash();
    assert!(first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    assert_eq!(gateway.post_document("_format_version: \"3.0\"\nconsumers: [{username: x}]\n").status, 201);
    let second = gateway.configuration_hash();
    assert_ne!(first, second);
    assert_eq!(gateway.configuration_hash(), second);
}

// --- POST /config --------------------------------------------------------------------------------------------------------

fn document(upstream: &Upstream) -> Value {
    json!({
        "_format_version": "3.0",
        "services": [{"name": "echo", "url": upstream.url(), "routes": [{"name": "everything", "paths": ["/"]}]}],
        "consumers": [{"username": "alice", "keyauth_credentials": [{"key": "k"}]}],
    })
}

#[test]
fn config_accepts_every_form_of_a_document() {
    let upstream = Upstream::echo();
    let json_text = document(&upstream).to_string();
    let yaml_text = proxying(&upstream);
    let multipart =
        format!("--sep\r\nContent-Disposition: form-data; name=\"config\"\r\n\r\n{yaml_text}\r\n--sep--\r\n");
    let form = format!("config={}", escaped(&yaml_text));
    let wrapped = json!({ "config": yaml_text }).to_string();
    for (content_type, body) in [
        ("application/json", &json_text),
        ("application/json; charset=utf-8", &json_text),
        ("application/json", &wrapped),
        ("application/yaml", &yaml_text),
        ("text/yaml", &yaml_text),
        ("application/x-www-form-urlencoded", &form),
        ("multipart/form-data; boundary=sep", &multipart),
    ] {
        let gateway = Gateway::serving(EMPTY);
        let answer = post(&gateway, "/config", content_type, body);
        assert_eq!(answer.status, 201, "{content_type}: {}", answer.text());
        assert_eq!(gateway.get("/").status, 200, "{content_type}");
    }
}

/// Percent-encodes everything but letters and digits.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[test]
fn config_answers_with_all_entities_by_id() {
    let upstream = Upstream::echo();
    let answer = post_json(&Gateway::serving(EMPTY), "/config", &document(&upstream));
    assert_eq!((answer.status, answer.header("Content-Type")), (201, Some(JSON)));
    let entities = answer.json();
    for kind in ["services", "routes", "consumers", "keyauth_credentials"] {
        let of_kind = entities[kind].as_object().unwrap_or_else(|| panic!("no {kind} in {entities}"));
        assert_eq!(of_kind.len(), 1, "{kind}");
        assert!(of_kind.iter().all(|(id, entity)| entity["id"] == id.as_str()), "{kind}");
    }
    let service = entities["services"].as_object().unwrap().values().next().unwrap();
    assert_eq!(service["retries"], 5, "defaults are filled in");
    assert!(
        service.get("tags").is_some_and(Value::is_null),
        "fields without a value are null, not left out: {service}"
    );
    let route = entities["routes"].as_object().unwrap().values().next().unwrap();
    assert_eq!(route["service"], json!({ "id": service["id"] }));
}

#[test]
fn config_gives_entities_the_same_ids_each_time() {
    let upstream = Upstream::echo();
    let [first, second] = [(); 2].map(|()| post_json(&Gateway::serving(EMPTY), "/config", &document(&upstream)).json());
    for kind in ["services", "routes", "consumers"] {
        let ids = |entities: &Value| entities[kind].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(ids(&first), ids(&second), "{kind}");
    }
}

#[test]
fn config_ids_follow_from_kind_and_name() {
    // UUIDv5 of "foo" in the namespace UUIDv5("services") in fd02801f-0957-4a15-a55a-c8d9606f30b5.
    let document = json!({"_format_version": "3.0", "services": [{"name": "foo", "url": "http://h"}]});
    let entities = post_json(&Gateway::serving(EMPTY), "/config", &document).json();
    let ids: Vec<&String> = entities["services"].as_object().unwrap().keys().collect();
    assert_eq!(ids, ["2933fbcc-9d7c-54a7-a984-fe2bde836cea"]);
}

#[test]
fn config_with_check_hash_leaves_the_same_document_alone() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(EMPTY);
    let document = document(&upstream);
    assert_eq!(post_json(&gateway, "/config?check_hash=1", &document).status, 201);
    let again = post_json(&gateway, "/config?check_hash=1", &document);
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(post_json(&gateway, "/config", &document).status, 201);
    let other = json!({"_format_version": "3.0"});
    assert_eq!(post_json(&gateway, "/config?check_hash=1", &other).status, 201);
}

#[test]
fn config_can_be_read_back_and_posted_again() {
    let upstream = Upstream::echo();
    let gateway = Gateway::serving(&proxying(&upstream));
    let text = ask(&gateway, "GET", "/config").json()["config"].as_str().expect("a document as text").to_owned();
    assert!(text.contains("everything") && text.contains("_format_version"), "{text}");
    assert_eq!(gateway.post_document(EMPTY).status, 201);
    assert_eq!(gateway.get("/").status, 404);
    let answer = gateway.post_document(&text);
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(gateway.get("/").status, 200);
}

#[test]
fn config_refuses_with_code_14_and_the_fields() {
    let document = json!({"_format_version": "3.0", "services": [
        {"name": "good", "url": "http://h"},
        {"name": "bad", "url": "http://h", "retries": 40_000, "nope": 1},
    ]});
    let answer = post_json(&Gateway::serving(EMPTY), "/config", &document);
    let body = answer.json();
    assert_eq!((answer.status, &body["code"]), (400, &json!(14)));
    assert_eq!(body["name"], "invalid declarative configuration");
    let message = body["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("declarative config is invalid: {"), "{message}");
    assert_eq!(body["fields"]["services"][0], Value::Null);
    let bad = &body["fields"]["services"][1];
    assert_eq!(bad["retries"], "value should be between 0 and 32767");
    assert_eq!(bad["nope"], "unknown field");
    assert_eq!(body.get("flattened_errors"), None);
}

#[test]
fn config_names_dangling_references_by_entity() {
    let gateway = Gateway::serving(EMPTY);
    let document = json!({"_format_version": "3.0", "routes": [{"name": "r", "paths": ["/"], "service": "nope"}]});
    let answer = post_json(&gateway, "/config", &document);
    let expected = json!({"routes": {"r": ["invalid reference 'service: nope' (no such entry in 'services')"]}});
    assert_eq!((answer.status, &answer.json()["fields"]), (400, &expected));
    let document = json!({"_format_version": "3.0", "plugins": [{"name": "cors", "route": "partner-api"}]});
    let answer = post_json(&gateway, "/config", &document);
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("invalid reference 'route: partner-api' (no such entry in 'routes')"),
        "{}",
        answer.text()
    );
}

#[test]
fn config_with_flatten_errors_lists_problems_by_entity() {
    let document = json!({"_format_version": "3.0", "services": [{
        "name": "bad", "url": "http://h", "retries": 40_000, "tags": ["t"],
        "routes": [{"name": "r", "paths": ["/"], "methods": ["get"]}],
    }]});
    let answer = post_json(&Gateway::serving(EMPTY), "/config?flatten_errors=1", &document);
    assert_eq!(answer.status, 400);
    let body = answer.json();
    let flattened = body["flattened_errors"].as_array().unwrap_or_else(|| panic!("{body}")).clone();
    let of = |kind: &str| {
        flattened.iter().find(|entry| entry["entity_type"] == kind).unwrap_or_else(|| panic!("no {kind}: {body}"))
    };
    let service = of("service");
    assert_eq!((&service["entity_name"], &service["entity_tags"]), (&json!("bad"), &json!(["t"])));
    assert_eq!(service["entity"]["retries"], 40_000);
    let expected = json!([{"type": "field", "field": "retries", "message": "value should be between 0 and 32767"}]);
    assert_eq!(service["errors"], expected);
    let route = of("route");
    assert_eq!(route["entity_name"], "r");
    assert_eq!(route["errors"][0]["field"], "methods.1");
    assert_eq!(route["errors"][0]["message"], "invalid value: get");
}

#[test]
fn each_of_several_writers_is_answered_with_its_own_document() {
    let gateway = Gateway::serving(EMPTY);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let gateway = &gateway;
            scope.spawn(move || {
                for turn in 0..10 {
                    let name = format!("writer-{writer}-{turn}");
                    let document = format!("{EMPTY}services: [{{name: {name}, url: 'http://h.test'}}]\n");
                    let answer = gateway.post_document(&document);
                    assert_eq!(answer.status, 201, "{}", answer.text());
                    let services = answer.json()["services"].as_object().unwrap().clone();
                    let names: Vec<_> = services.values().map(|service| service["name"].clone()).collect();
                    assert_eq!(names, [json!(name)]);
                }
            });
        }
    });
}

#[test]
fn config_refuses_what_is_no_document() {
    let gateway = Gateway::serving(EMPTY);
    for (content_type, body, text) in [
        ("application/json", "{}", "expected a declarative configuration"),
        ("application/json", "{\"config\": \"services: []\"}", "_format_version"),
        ("application/x-www-form-urlencoded", "", "expected a declarative configuration"),
        ("application/json", "{", "Cannot parse JSON body"),
        ("application/yaml", "services: [", "failed parsing declarative configuration"),
    ] {
        let answer = post(&gateway, "/config", content_type, body);
        assert_eq!(answer.status, 400, "{body:?}: {}", answer.text());
        assert!(answer.text().contains(text), "{body:?}: {}", answer.text());
    }
}

#[test]
fn config_never_answers_500() {
    let gateway = Gateway::serving(EMPTY);
    for body in ["\"text\"", "[]", "1", "null", "{\"services\": 1}", "{\"_format_version\": 3}"] {
        let status = post(&gateway, "/config", "application/json", body).status;
        assert_eq!(status, 400, "{body}");
    }
    for entities in
        [json!(["x"]), json!([null]), json!([1]), json!({"name": "x"}), json!([{"name": false}]), json!([[]])]
    {
        for kind in ["services", "routes", "plugins", "consumers", "upstreams", "keyauth_credentials"] {
            let document = json!({"_format_version": "3.0", kind: entities});
            assert_eq!(post_json(&gateway, "/config", &document).status, 400, "{document}");
        }
    }
    assert_eq!(ask(&gateway, "GET", "/status").status, 200);
}

#[test]
fn config_does_not_choke_on_an_alias_bomb() {
    let bomb: String =
        (1..10).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(","))).collect();
    let bomb = format!("_format_version: \"3.0\"\na0: &a0 [x]\n{bomb}");
    let gateway = Gateway::serving(EMPTY);
    let answer = post(&gateway, "/config", "application/yaml", &bomb);
    assert_eq!(answer.status, 400);
    assert!(answer.took < Duration::from_secs(10), "{:?}", answer.took);
    assert_eq!(gateway.get("/").status, 404);
}

#[test]
fn config_refuses_broken_bodies_in_json() {
    let gateway = Gateway::serving("_format_version: \"3.0\"\n");
    for (path, media_type, body) in [
        ("/config", "multipart/form-data; boundary=b", "--b\r\n"),
        ("/config", "multipart/form-data", "--b\r\n"),
        ("/config", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=config\r\n\r\nx"),
        ("/config?check_hash=1&check_hash=1", "application/json", "{}"),
    ] {
        let answer = post(&gateway, path, media_type, body);
        assert_eq!(answer.status, 400, "{path} {media_type} {body}");
        assert!(answer.json()["message"].is_string(), "{}", answer.text());
    }
}

#[test]
fn config_refuses_other_media_types() {
    assert_eq!(post(&Gateway::serving(EMPTY), "/config", "image/png", "x").status, 415);
}

#[test]
fn config_takes_two_thousand_routes() {
    let upstream = Upstream::echo();
    let routes: Vec<Value> =
        (0..2_000).map(|n| json!({"name": format!("r{n}"), "paths": [format!("/r{n}/")]})).collect();
    let document =
        json!({"_format_version": "3.0", "services": [{"name": "echo", "url": upstream.url(), "routes": routes}]});
    let gateway = Gateway::serving(EMPTY);
    assert_eq!(post_json(&gateway, "/config", &document).status, 201);
    assert_eq!(gateway.get("/r1999/x").status, 200);
    assert_eq!(gateway.get("/r2000/x").status, 404);
}
