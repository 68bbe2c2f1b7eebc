//! Everything that `/metrics` shows.

use std::{sync::Arc, time::Duration};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{runtime::Handle, time::interval};
use towergate_admin::{KONG_VERSION, resident_bytes};
use towergate_config::Settings;
use towergate_metrics::{Exposition, Kind, Registry};
use towergate_runtime::Control;
use towergate_server::Stats;
use uuid::Uuid;

use crate::upstream_health;

/// How often what was recorded through the facade is folded, so that it takes no more and more memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// Buckets in seconds, for whatever is recorded through the facade without buckets of its own.
const BUCKETS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// About how many bytes a set of labels takes.
const SERIES: u64 = 512;

/// Where the gateway's crates record what happens beside requests, by the `metrics` facade.
pub(crate) struct Recorded {
    handle: Option<PrometheusHandle>,
}

impl Recorded {
    /// Records from now on. A process has one recorder: if it has one already that is not ours to show.
    pub(crate) fn start() -> Self {
        let builder = PrometheusBuilder::new().set_buckets(BUCKETS);
        let recorder = match builder {
            Ok(builder) => builder.build_recorder(),
            Err(error) => {
                tracing::error!("metrics beside those of requests are not recorded: {error}");
                return Self { handle: None };
            }
        };
        let handle = recorder.handle();
        Self { handle: metrics::set_global_recorder(recorder).is_ok().then_some(handle) }
    }

    /// Folds what was recorded now and then, as long as the runtime lives.
    pub(crate) fn keep_up(&self, runtime: &Handle) {
        let Some(handle) = self.handle.clone() else { return };
        runtime.spawn(async move {
            let mut ticks = interval(UPKEEP);
            loop {
                ticks.tick().await;
                handle.run_upkeep();
            }
        });
    }
}

/// What all metrics are made from.
pub(crate) struct Metrics {
    pub(crate) recorded: Recorded,
    pub(crate) control: Arc<Control>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) stats: Stats,
    pub(crate) node_id: Uuid,
}

impl Metrics {
    /// All metrics as Prometheus reads them.
    pub(crate) fn page(&self) -> String {
        let registry = self.control.registry().shared().of::<Registry>();
        let mut out = Exposition::default();
        self.node(&mut out, &registry);
        upstream_health::write(&mut out, &self.control);
        registry.write(&mut out, self.settings.prometheus_legacy_latency);
        if let Some(handle) = &self.recorded.handle {
            out.append(&handle.render());
        }
        out.into_text()
    }

    /// What Kong tells of its node.
    fn node(&self, out: &mut Exposition, registry: &Registry) {
        let node_id = self.node_id.to_string();
        connections(out, &node_id, &self.stats);
        out.family("kong_nginx_timers", Kind::Gauge, "Number of nginx timers");
        for state in ["pending", "running"] {
            out.sample("kong_nginx_timers", &[("state", state)], 0);
        }
        out.family("kong_nginx_metric_errors_total", Kind::Counter, "Number of nginx-lua-prometheus errors");
        out.sample("kong_nginx_metric_errors_total", &[], registry.overflowed());
        out.family("kong_datastore_reachable", Kind::Gauge, "Datastore reachable from Kong, 0 is unreachable");
        out.sample("kong_datastore_reachable", &[], 1);
        out.family("kong_node_info", Kind::Gauge, "Kong Node metadata information");
        out.sample("kong_node_info", &[("node_id", &node_id), ("version", KONG_VERSION)], 1);
        memory(out, &node_id, registry);
        out.family("towergate_build_info", Kind::Gauge, "The version that runs");
        out.sample("towergate_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    }
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
