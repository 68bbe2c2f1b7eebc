//! A gateway with a database of its own.

use serde_json::Value;
use towergate_tests::{Answer, Gateway, Request};

/// With an empty SQLite file.
#[track_caller]
pub(crate) fn gateway() -> Gateway {
    Gateway::with("").setting("database", "sqlite").start()
}

#[track_caller]
pub(crate) fn write(gateway: &Gateway, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::new(method, path).header("Content-Type", "application/json").body(body.to_string());
    gateway.ask_admin(&request)
}

/// Adds or replaces an entity; answers it.
#[track_caller]
pub(crate) fn put(gateway: &Gateway, method: &str, path: &str, body: &Value) -> Value {
    let answer = write(gateway, method, path, body);
    assert!(matches!(answer.status, 200 | 201), "{method} {path}: {} {}", answer.status, answer.text());
    answer.json()
}

#[track_caller]
pub(crate) fn ask(gateway: &Gateway, method: &str, path: &str) -> Answer {
    gateway.ask_admin(&Request::new(method, path))
}
