//! What the gateway's crates record by the `metrics` facade, and what the system says of the process.

use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tokio::{runtime::Handle, time::interval};
use towergate_metrics::Exposition;

use crate::log_queue;

/// How often what was recorded through the facade is folded, so that it takes no more and more memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// Buckets in seconds, for whatever is recorded through the facade without buckets of its own.
const BUCKETS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Where the gateway's crates record what happens beside requests, by the `metrics` facade.
pub(crate) struct Recorded {
    handle: Option<PrometheusHandle>,
    process: Collector,
}

impl Recorded {
    /// Records from now on. A process has one recorder: if it has one already that is not ours to show.
    pub(crate) fn start() -> Self {
        let process = Collector::default();
        let recorder = match PrometheusBuilder::new().set_buckets(BUCKETS) {
            Ok(builder) => builder.build_recorder(),
            Err(error) => {
                tracing::error!("metrics beside those of requests are not recorded: {error}");
                return Self { handle: None, process };
            }
        };
        let handle = recorder.handle();
        let handle = metrics::set_global_recorder(recorder).is_ok().then_some(handle);
        process.describe();
        log_queue::count_lost(0);
        Self { handle, process }
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

    /// Writes it, the process as it is now.
    pub(crate) fn write(&self, out: &mut Exposition) {
        let Some(handle) = &self.handle else { return };
        self.process.collect();
        out.append(&handle.render());
    }
}
