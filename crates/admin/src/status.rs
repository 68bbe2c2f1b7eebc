//! `GET /status`: how the node is doing.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

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
    let current = admin.control.current();
    answer(
        StatusCode::OK,
        json!({
            "configuration_hash": current.config.hash,
            "memory": { "lua_shared_dicts": {}, "workers_lua_vms": [], "resident_bytes": resident_bytes() },
            "server": (admin.connections)(),
        }),
    )
}

/// The resident set of this process, in bytes; `None` where the kernel does not tell.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line?.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib.saturating_mul(1024))
}
