//! The connections to upstreams as `/metrics` shows them.

use towergate_metrics::{Exposition, Kind};
use towergate_upstream::{ConnectionSnapshot, Connections};

/// A counter: its name, what it means, and where it stands.
type Counter = (&'static str, &'static str, fn(&Connections) -> u64);

const NOW: &str = "towergate_upstream_connections";
const OPENED: &str = "towergate_upstream_connections_opened_total";
const REUSED: &str = "towergate_upstream_connections_reused_total";
const STALE: &str = "towergate_upstream_connections_stale_total";

/// Writes what the pools of all workers hold and have done.
pub(crate) fn write(out: &mut Exposition, now: &ConnectionSnapshot) {
    let pools = [("http1", now.http1), ("http2", now.http2)];
    out.family(NOW, Kind::Gauge, "Open connections to upstreams: active ones carry a request, idle ones wait for one");
    for (protocol, pool) in pools {
        for (state, count) in [("active", pool.active), ("idle", pool.idle)] {
            out.sample(NOW, &[("protocol", protocol), ("state", state)], count);
        }
    }
    let counters: [Counter; 3] = [
        (OPENED, "Connections to upstreams that were opened", |pool| pool.opened),
        (REUSED, "Requests that found an open connection to go on", |pool| pool.reused),
        (STALE, "Requests that found one which the upstream closed just then, and were sent once more", |pool| {
            pool.stale
        }),
    ];
    for (name, help, count) in counters {
        out.family(name, Kind::Counter, help);
        for (protocol, pool) in &pools {
            out.sample(name, &[("protocol", protocol)], count(pool));
        }
    }
}
