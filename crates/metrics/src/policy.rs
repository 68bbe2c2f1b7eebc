//! What is counted of a request.

use std::sync::Arc;

use towergate_core::{Context, Env, Plugin, PluginError, Slot, Wrap};

use crate::{
    config::PrometheusConfig,
    exemplar::Traced,
    layer::PrometheusLayer,
    registry::Registry,
    route::{Latencies, RouteMetrics},
};

/// Counts requests, latencies and bytes by service and route: the policy of the plugin `prometheus`.
#[derive(Debug, Clone)]
pub struct Prometheus {
    registry: Arc<Registry>,
    per_consumer: bool,
    statuses: bool,
    pub(crate) latencies: bool,
    pub(crate) bandwidth: bool,
}

impl Plugin for Prometheus {
    const NAME: &'static str = "prometheus";
    const PRIORITY: i32 = 13;
    const SEES_HEADS: bool = false;

    type Config = PrometheusConfig;

    fn new(config: PrometheusConfig, env: &Env) -> Result<Self, PluginError> {
        Ok(Self {
            registry: env.shared.of(),
            per_consumer: config.per_consumer.unwrap_or_default(),
            statuses: config.status_code_metrics.unwrap_or_default(),
            latencies: config.latency_metrics.unwrap_or_default(),
            bandwidth: config.bandwidth_metrics.unwrap_or_default(),
        })
    }
}

impl Wrap for Prometheus {
    type Layer = PrometheusLayer;

    fn layer(slot: Slot<Self>) -> PrometheusLayer {
        PrometheusLayer::new(slot)
    }
}

/// The trace of a request that is over now, if it is recorded.
fn traced(cx: &Context, latencies: &Latencies) -> Option<Traced> {
    let trace = cx.trace().filter(|trace| trace.is_sampled)?;
    let started_at = cx.timing.started_at();
    Some(Traced { id: trace.id, at: started_at.checked_add(latencies.request).unwrap_or(started_at) })
}

/// What is known of a request when it is over.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) status: u16,
    pub(crate) received: u64,
    pub(crate) latencies: Latencies,
}

impl Prometheus {
    /// Where it counts.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Counts a request that is over, as Kong does in its log phase.
    pub(crate) fn count(&self, slot: &Slot<Self>, cx: &Context, over: &Over) {
        let make = || cx.plan().and_then(|plan| RouteMetrics::of(plan, &self.registry));
        let Some(Some(route)) = slot.memo(cx, make) else { return };
        let consumer = cx.consumer().filter(|_| self.per_consumer);
        if self.statuses || self.bandwidth {
            let counts = route.counts(consumer);
            if self.statuses {
                route.answered(counts, over.status, cx, consumer);
            }
            if self.bandwidth {
                route.carried(counts, over.received, cx.traffic.sent(), consumer);
            }
        }
        if self.latencies {
            route.took(over.latencies, traced(cx, &over.latencies));
        }
    }
}
