//! `GET /status`: how the node is doing.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Admin, answer::answer};

/// The proxy's connections and requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Connections {
    /// Accepted since the start.
    pub connections_accepted: u64,
    /// Open now.
    pub connections_active: u64,
    /// Served since the start; fewer than accepted only when a limit turned some away.
    pub connections_handled: u64,
    /// Open and reading a request's head.
    pub connections_reading: u64,
    /// Open and waiting for the next request.
    pub connections_waiting: u64,
    /// Open and answering.
    pub connections_writing: u64,
    /// Requests since the start.
    pub total_requests: u64,
}

pub(crate) async fn show(State(admin): State<Arc<Admin>>) -> Response {
    let mut body = json!({
        "memory": { "lua_shared_dicts": {}, "workers_lua_vms": [], "resident_bytes": resident_bytes() },
        "server": (admin.connections)(),
    });
    let (name, state) = match admin.is_read_only() {
        true => ("configuration_hash", json!(admin.control.current().config.hash)),
        false => ("database", json!({ "reachable": admin.configured.store().reachable().await })),
    };
    if let Value::Object(body) = &mut body {
        body.insert(name.to_owned(), state);
    }
    answer(StatusCode::OK, body)
}

/// The resident set of this process, in bytes; `None` where the kernel does not tell.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line?.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib.saturating_mul(1024))
}
