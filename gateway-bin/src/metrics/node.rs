//! What Kong tells of its node, and where our limits are.

use towergate_admin::{KONG_VERSION, resident_bytes};
use towergate_config::Settings;
use towergate_metrics::{Exposition, Kind, Registry};
use towergate_server::Stats;
use uuid::Uuid;

/// About how many bytes a set of labels takes.
const SERIES: u64 = 512;

/// Writes what Kong tells of its node; `has_store` is whether it reaches its database.
pub(crate) fn write(out: &mut Exposition, node_id: Uuid, stats: &Stats, registry: &Registry, has_store: bool) {
    let node_id = node_id.to_string();
    connections(out, &node_id, stats);
    out.family("kong_nginx_timers", Kind::Gauge, "Number of nginx timers");
    for state in ["pending", "running"] {
        out.sample("kong_nginx_timers", &[("state", state)], 0);
    }
    out.family("kong_nginx_metric_errors_total", Kind::Counter, "Number of nginx-lua-prometheus errors");
    out.sample("kong_nginx_metric_errors_total", &[], registry.overflowed());
    out.family("kong_datastore_reachable", Kind::Gauge, "Datastore reachable from Kong, 0 is unreachable");
    out.sample("kong_datastore_reachable", &[], u8::from(has_store));
    out.family("kong_node_info", Kind::Gauge, "Kong Node metadata information");
    out.sample("kong_node_info", &[("node_id", &node_id), ("version", KONG_VERSION)], 1);
    memory(out, &node_id, registry);
    out.family("towergate_build_info", Kind::Gauge, "The version that runs");
    out.sample("towergate_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
}

/// Writes how many clients may be connected: how near the limit is nobody sees otherwise.
pub(crate) fn write_limits(out: &mut Exposition, settings: &Settings) {
    let name = "towergate_client_connections_limit";
    let limit = settings.worker_connections.get().saturating_mul(settings.workers.get());
    out.family(name, Kind::Gauge, "How many clients may be connected at a time, all workers together");
    out.sample(name, &[], limit);
}

fn connections(out: &mut Exposition, node_id: &str, stats: &Stats) {
    let now = stats.snapshot();
    let http = [("node_id", node_id), ("subsystem", "http")];
    out.family("kong_nginx_connections_total", Kind::Gauge, "Number of connections by subsystem");
    for (state, count) in [
        ("accepted", now.connections_accepted),
        ("active", now.connections_active),
        ("handled", now.connections_handled),
        ("reading", now.connections_reading),
        ("total", now.total_requests),
        ("waiting", now.connections_waiting),
        ("writing", now.connections_writing),
    ] {
        let [node_id, subsystem] = http;
        out.sample("kong_nginx_connections_total", &[node_id, subsystem, ("state", state)], count);
    }
    out.family("kong_nginx_requests_total", Kind::Gauge, "Number of requests total");
    out.sample("kong_nginx_requests_total", &http, now.total_requests);
}

/// Under Kong's names what comes next to what they mean: the process for the workers' Lua, the room for
/// metrics for the shared dictionary that Kong keeps them in.
fn memory(out: &mut Exposition, node_id: &str, registry: &Registry) {
    let bytes = |count: usize| u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(SERIES);
    let room = registry.room();
    let labels = [("node_id", node_id), ("shared_dict", "prometheus_metrics"), ("kong_subsystem", "http")];
    for (name, help, count) in [
        ("kong_memory_lua_shared_dict_bytes", "Allocated slabs in bytes in a shared_dict", room.used),
        ("kong_memory_lua_shared_dict_total_bytes", "Total capacity in bytes of a shared_dict", room.limit),
    ] {
        out.family(name, Kind::Gauge, help);
        out.sample(name, &labels, bytes(count));
    }
    if let Some(resident) = resident_bytes() {
        let pid = std::process::id().to_string();
        let name = "kong_memory_workers_lua_vms_bytes";
        out.family(name, Kind::Gauge, "Allocated bytes in worker Lua VM");
        out.sample(name, &[("node_id", node_id), ("pid", &pid), ("kong_subsystem", "http")], resident);
    }
}
