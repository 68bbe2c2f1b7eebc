//! `GET /`: what this node is.

use std::{collections::BTreeSet, sync::Arc};

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{Admin, KONG_VERSION, answer::answer};

/// Parts of the names of settings whose values nobody should read.
const SECRET: &[&str] = &["password", "secret", "token", "_key"];

pub(crate) async fn show(State(admin): State<Arc<Admin>>) -> Response {
    let kinds = admin.control.registry().kinds();
    let available: Map<_, _> = kinds
        .iter()
        .map(|kind| {
            let about = json!({ "version": env!("CARGO_PKG_VERSION"), "priority": kind.priority });
            (kind.name.to_owned(), about)
        })
        .collect();
    let current = admin.control.current();
    let enabled: BTreeSet<_> = current.config.plugins.iter().map(|plugin| plugin.name.as_str()).collect();
    answer(
        StatusCode::OK,
        json!({
            "tagline": "Welcome to kong",
            "version": KONG_VERSION,
            "edition": "community",
            "towergate": { "version": env!("CARGO_PKG_VERSION") },
            "hostname": hostname(),
            "node_id": admin.node_id,
            "lua_version": "none",
            "timers": { "running": 0, "pending": 0 },
            "plugins": { "available_on_server": available, "enabled_in_cluster": enabled },
            "configuration": configuration(&admin),
            "pids": { "master": std::process::id(), "workers": [std::process::id()] },
        }),
    )
}

fn configuration(admin: &Admin) -> Value {
    let settings = admin.settings();
    let shown = settings.values().map(|(name, value)| {
        let secret = SECRET.iter().any(|part| name.contains(part)) && name != "server_token";
        let shown = match value {
            _ if secret => json!("******"),
            list if settings.is_list(name) => json!(entries(list)),
            value => typed(value),
        };
        (name.to_owned(), shown)
    });
    let mut configuration: Map<_, _> = shown.collect();
    configuration.insert("database".into(), json!(admin.configured.store().kind()));
    Value::Object(configuration)
}

fn entries(list: &str) -> Vec<&str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

/// Settings are text; tools expect switches and numbers as such.
fn typed(value: &str) -> Value {
    match value {
        "on" => json!(true),
        "off" => json!(false),
        value => value.parse::<u64>().map_or_else(|_| json!(value), |number| json!(number)),
    }
}

pub(crate) fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "localhost".into(), |name| name.trim().into())
}
