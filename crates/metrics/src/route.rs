//! What one worker counts for one route.

use std::{
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
    time::Duration,
};

use towergate_core::{Consumer, Context, Plan};

use crate::{exemplar::Traced, family::Counter, histogram::Histogram, registry::Registry, tree::Tree};

/// What one worker counts for one route: cells of its own, found once and then kept. Nothing here
/// waits for anybody but when a cell is asked for the first time.
#[derive(Debug)]
pub(crate) struct RouteMetrics {
    registry: Arc<Registry>,
    service: String,
    route: String,
    latencies: OnceLock<[Arc<Histogram>; 3]>,
    consumers: Tree<Option<u128>, Counts>,
}

/// What is counted of the requests of one consumer, or of all.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// By status, and whether it was the upstream's.
    requests: Tree<(u16, bool), Arc<Counter>>,
    bandwidth: OnceLock<[Arc<Counter>; 2]>,
}

/// How long a request took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latencies {
    /// From its head until its response was sent.
    pub(crate) request: Duration,
    /// Until the upstream's head came; `None` if it was not asked.
    pub(crate) upstream: Option<Duration>,
}

impl RouteMetrics {
    /// For the route of a plan; `None` without a route and its service, for which Kong counts nothing.
    pub(crate) fn of(plan: &Plan, registry: &Arc<Registry>) -> Option<Self> {
        let (route, service) = (plan.route.as_ref()?, plan.service.as_deref()?);
        Some(Self {
            registry: registry.clone(),
            service: service.name.clone().unwrap_or_else(|| service.host.clone()),
            route: route.name.clone().unwrap_or_else(|| route.id.to_string()),
            latencies: OnceLock::new(),
            consumers: Tree::default(),
        })
    }

    /// Where the requests of this consumer are counted; without one, those of all.
    pub(crate) fn counts(&self, consumer: Option<&Consumer>) -> &Counts {
        self.consumers.get(spread(consumer), consumer.map(|consumer| consumer.id.as_u128()), Counts::default)
    }

    /// Counts a request that was answered with this status.
    pub(crate) fn answered(&self, counts: &Counts, status: u16, cx: &Context, consumer: Option<&Consumer>) {
        let is_proxied = cx.is_proxied();
        let hash = u64::from(status).wrapping_mul(SPREAD).rotate_left(u32::from(is_proxied));
        let cell = counts.requests.get(hash, (status, is_proxied), || {
            let source = if is_proxied { "service" } else { "kong" };
            self.registry.requests([&self.service, &self.route, &status.to_string(), source, name(consumer)])
        });
        cell.fetch_add(1, Relaxed);
    }

    /// Counts the bytes of a request and of its response.
    pub(crate) fn carried(&self, counts: &Counts, received: u64, sent: u64, consumer: Option<&Consumer>) {
        let [ingress, egress] = counts.bandwidth.get_or_init(|| {
            ["ingress", "egress"]
                .map(|direction| self.registry.bandwidth([&self.service, &self.route, direction, name(consumer)]))
        });
        ingress.fetch_add(received, Relaxed);
        egress.fetch_add(sent, Relaxed);
    }

    /// Counts how long a request took; what was not the upstream's is the gateway's own.
    pub(crate) fn took(&self, latencies: Latencies, traced: Option<Traced>) {
        let [kong, upstream, request] =
            self.latencies.get_or_init(|| self.registry.latencies(&self.service, &self.route));
        request.observe(latencies.request, traced);
        if let Some(waited) = latencies.upstream {
            upstream.observe(waited, traced);
        }
        kong.observe(latencies.request.saturating_sub(latencies.upstream.unwrap_or_default()), traced);
    }
}

/// 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

fn spread(consumer: Option<&Consumer>) -> u64 {
    let (high, low) = consumer.map_or((0, 0), |consumer| consumer.id.as_u64_pair());
    (high ^ low).wrapping_mul(SPREAD).rotate_right(32)
}

/// A consumer that has no user name is nobody here, as in Kong.
fn name(consumer: Option<&Consumer>) -> &str {
    consumer.and_then(|consumer| consumer.username.as_deref()).unwrap_or_default()
}
