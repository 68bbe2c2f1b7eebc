//! A gateway with the plugin `maintenance` beside some of the usual ones.

use std::process::ExitCode;

use example_own_plugin::Maintenance;

towergate_gateway::plugins! {
    /// Guards stand in the order in which they run, by their PRIORITY.
    pub struct Mine {
        outer: [towergate_metrics::Prometheus],
        guard: [
            towergate_correlation::CorrelationId,
            Maintenance,
            towergate_cors::Cors,
            towergate_auth::KeyAuth,
            towergate_auth::Acl,
        ],
        inner: [],
    }
}

fn main() -> ExitCode {
    towergate_gateway::run(Mine)
}
