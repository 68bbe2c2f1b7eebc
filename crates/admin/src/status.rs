//! `GET /status`: how the node is doing.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    response::Response,
};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Admin,
    answer::{answer, message},
    body::argument,
};

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

pub(crate) async fn show(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let asked = |name| argument(query.as_deref(), name);
    let (unit, scale) = (asked("unit"), asked("scale").and_then(|scale| scale.parse().ok()));
    let Some(amount) = Amount::of(unit.as_deref().unwrap_or("m"), scale.unwrap_or(2)) else {
        let why = format!("invalid unit '{}' (expected 'k/K', 'm/M', or 'g/G')", unit.unwrap_or_default());
        return message(StatusCode::BAD_REQUEST, &why);
    };
    let resident = resident_bytes();
    let vms = resident.map(|bytes| json!({ "pid": std::process::id(), "http_allocated_gc": amount.shown(bytes) }));
    let mut body = json!({
        "memory": {
            "lua_shared_dicts": {},
            "workers_lua_vms": vms.into_iter().collect::<Vec<_>>(),
            "resident_bytes": resident,
        },
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

/// As Kong with its older DNS client says it.
pub(crate) async fn dns() -> Response {
    message(StatusCode::NOT_IMPLEMENTED, "not implemented with the legacy DNS client")
}

/// How amounts of memory are told.
#[derive(Debug, Clone, Copy)]
struct Amount {
    /// Bytes of the unit, and its name; none are bytes as a number.
    unit: Option<(f64, &'static str)>,
    digits: usize,
}

impl Amount {
    fn of(unit: &str, scale: i32) -> Option<Self> {
        let unit = match unit {
            "b" | "B" => None,
            "k" | "K" => Some((1024.0, "KiB")),
            "m" | "M" => Some((1_048_576.0, "MiB")),
            "g" | "G" => Some((1_073_741_824.0, "GiB")),
            _ => return None,
        };
        Some(Self { unit, digits: usize::try_from(scale.clamp(0, 10)).unwrap_or_default() })
    }

    fn shown(self, bytes: u64) -> Value {
        match self.unit {
            None => json!(bytes),
            Some((size, name)) => json!(format!("{:.*} {name}", self.digits, bytes as f64 / size)),
        }
    }
}

/// The resident set of this process, in bytes; `None` where the kernel does not tell.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line?.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_the_unit_asked_for() {
        for (unit, scale, shown) in [
            ("b", 2, json!(1_572_864)),
            ("k", 2, json!("1536.00 KiB")),
            ("M", 0, json!("2 MiB")),
            ("m", 1, json!("1.5 MiB")),
            ("g", 3, json!("0.001 GiB")),
        ] {
            assert_eq!(Amount::of(unit, scale).unwrap().shown(1_572_864), shown, "{unit} {scale}");
        }
        assert!(Amount::of("x", 2).is_none());
    }
}
