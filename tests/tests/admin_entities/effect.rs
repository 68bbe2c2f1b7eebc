//! What is answered is in force.

use serde_json::json;
use towergate_tests::{Gateway, Request, SOON, Upstream, eventually};

use crate::setup::{ask, gateway, put, write};

#[test]
fn what_is_written_is_in_force_when_it_is_answered() {
    let (upstream, gateway) = (Upstream::echo(), gateway());
    assert_eq!(gateway.get("/a").status, 404);
    put(&gateway, "POST", "/services", &json!({"name": "echo", "url": upstream.url()}));
    put(&gateway, "POST", "/services/echo/routes", &json!({"name": "r", "paths": ["/a"]}));
    assert_eq!(gateway.get("/a").status, 200);
    for round in 0..20 {
        let path = format!("/{round}");
        put(&gateway, "PATCH", "/routes/r", &json!({ "paths": [path] }));
        assert_eq!(gateway.get(&path).status, 200, "{path}");
    }
    assert_eq!(gateway.get("/a").status, 404);
    assert_eq!(ask(&gateway, "DELETE", "/routes/r").status, 204);
    assert_eq!(gateway.get("/19").status, 404);
}

#[test]
fn a_gateway_is_filled_as_controllers_do() {
    let (upstream, gateway) = (Upstream::echo(), gateway());
    let id = |last: u8| format!("11111111-1111-4111-8111-1111111111{last:02}");
    put(&gateway, "PUT", &format!("/upstreams/{}", id(1)), &json!({"name": "echo.up"}));
    let target = json!({"target": upstream.address().to_string()});
    put(&gateway, "POST", &format!("/upstreams/{}/targets", id(1)), &target);
    put(&gateway, "PUT", &format!("/services/{}", id(2)), &json!({"name": "echo", "host": "echo.up"}));
    let route = json!({"paths": ["/"], "service": {"id": id(2)}});
    put(&gateway, "PUT", &format!("/routes/{}", id(3)), &route);
    put(&gateway, "PUT", &format!("/consumers/{}", id(4)), &json!({"username": "alice"}));
    put(&gateway, "PUT", &format!("/consumers/{}/key-auth/{}", id(4), id(5)), &json!({"key": "secret"}));
    assert_eq!(gateway.get("/").status, 200);
    put(&gateway, "POST", "/plugins", &json!({"name": "key-auth"}));
    assert_eq!(gateway.get("/").status, 401);
    let with_key = Request::get("/").header("apikey", "secret");
    assert_eq!(gateway.send(&with_key).status, 200);
    assert_eq!(upstream.last().header("X-Consumer-Username"), Some("alice"));
    assert_eq!(ask(&gateway, "DELETE", "/key-auths/secret").status, 204);
    assert_eq!(gateway.send(&with_key).status, 401);
}

#[test]
fn a_key_opens_nothing_after_its_time() {
    let (upstream, gateway) = (Upstream::echo(), gateway());
    put(&gateway, "POST", "/services", &json!({"name": "echo", "url": upstream.url()}));
    put(&gateway, "POST", "/services/echo/routes", &json!({"paths": ["/"]}));
    put(&gateway, "POST", "/plugins", &json!({"name": "key-auth"}));
    put(&gateway, "POST", "/consumers", &json!({"username": "alice"}));
    put(&gateway, "POST", "/consumers/alice/key-auth", &json!({"key": "short", "ttl": 2}));
    put(&gateway, "POST", "/consumers/alice/key-auth", &json!({"key": "long", "ttl": 3600}));
    let status = |key: &str| gateway.send(&Request::get("/").header("apikey", key)).status;
    assert_eq!((status("short"), status("long")), (200, 200));
    eventually(SOON, || status("short") == 401);
    assert_eq!((status("long"), ask(&gateway, "GET", "/key-auths/short").status), (200, 404));
    put(&gateway, "POST", "/consumers/alice/key-auth", &json!({"key": "short"}));
    assert_eq!(status("short"), 200, "another one with the same key");
}

#[test]
fn what_is_refused_changes_nothing() {
    let (upstream, gateway) = (Upstream::echo(), gateway());
    put(&gateway, "POST", "/services", &json!({"name": "echo", "url": upstream.url()}));
    put(&gateway, "POST", "/services/echo/routes", &json!({"name": "r", "paths": ["/"]}));
    for (method, path, body) in [
        ("PATCH", "/routes/r", json!({"paths": ["~/("]})),
        ("PATCH", "/routes/r", json!({"paths": ["/new"], "methods": ["get"]})),
        ("POST", "/plugins", json!({"name": "cors", "config": {"origins": ["~("]}})),
        ("POST", "/plugins", json!({"name": "correlation-id", "config": {"generator": "x"}})),
        ("PATCH", "/services/echo", json!({"host": null})),
    ] {
        let answer = write(&gateway, method, path, &body);
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!(2)), "{path}: {}", answer.text());
        assert_eq!(gateway.get("/anything").status, 200, "{path}");
    }
    assert_eq!(ask(&gateway, "GET", "/plugins").json()["data"], json!([]));
}

#[test]
fn what_is_written_outlives_the_gateway() {
    let upstream = Upstream::echo();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kept.sqlite").to_string_lossy().into_owned();
    let start = || Gateway::with("").setting("database", "sqlite").setting("sqlite_path", &file).start();
    let mut first = start();
    put(&first, "POST", "/services", &json!({"name": "echo", "url": upstream.url()}));
    let route = put(&first, "POST", "/services/echo/routes", &json!({"name": "r", "paths": ["/"]}));
    first.terminate();
    let second = start();
    assert_eq!(ask(&second, "GET", "/routes/r").json(), route);
    assert_eq!(second.get("/").status, 200);
}

#[test]
fn without_a_database_writing_is_not_supported() {
    let gateway = Gateway::serving("_format_version: '3.0'\nservices: [{name: s, host: h}]\n");
    let answer = write(&gateway, "PATCH", "/services/s", &json!({"host": "x"}));
    assert_eq!((answer.status, &answer.json()["code"]), (405, &json!(12)), "{}", answer.text());
    assert_eq!(ask(&gateway, "GET", "/services/s").json()["host"], "h");
}
