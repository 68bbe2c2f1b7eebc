//! Everything that `/metrics` shows.

mod certificates;
mod configuration;
mod connections;
mod node;
mod recorded;
mod upstream_health;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, header};
use tokio::{runtime::Handle, time::timeout};
use towergate_admin::MetricsPage;
use towergate_config::Settings;
use towergate_metrics::{Exposition, Format, Registry};
use towergate_runtime::Control;
use towergate_server::Stats;
use towergate_store::Store;
use towergate_upstream::ConnectionStats;
use uuid::Uuid;

use crate::wiring::Trust;

pub(crate) use recorded::Recorded;

/// How long a page waits for the store's answer: much less than a scrape may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// What all metrics are made from.
pub(crate) struct Metrics {
    recorded: Recorded,
    control: Arc<Control>,
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
    stats: Stats,
    upstreams: ConnectionStats,
    certificates: certificates::Certificates,
    node_id: Uuid,
}

impl Metrics {
    pub(crate) fn new(
        recorded: Recorded,
        (control, store): (Arc<Control>, Arc<dyn Store>),
        settings: Arc<Settings>,
        connections: (Stats, ConnectionStats),
        trust: Trust,
        node_id: Uuid,
    ) -> Self {
        let (stats, upstreams) = connections;
        let certificates = certificates::Certificates::new(trust);
        Self { recorded, control, store, settings, stats, upstreams, certificates, node_id }
    }

    /// All metrics as Prometheus reads them, in the format that a request with these headers accepts.
    pub(crate) fn page(&self, headers: &HeaderMap) -> MetricsPage {
        let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let format = Format::accepted(accept);
        MetricsPage { content_type: format.content_type(), text: self.text(format) }
    }

    /// Whether the store answers, without a database always. This waits, which pages may: they are made where
    /// nobody else does.
    fn has_store(&self) -> bool {
        let Ok(runtime) = Handle::try_current() else { return true };
        runtime.block_on(async { timeout(PATIENCE, self.store.reachable()).await.unwrap_or(false) })
    }

    fn text(&self, format: Format) -> String {
        let registry = self.control.registry().shared().of::<Registry>();
        let current = self.control.current();
        let mut out = Exposition::of(format);
        node::write(&mut out, self.node_id, &self.stats, &registry, self.has_store());
        node::write_limits(&mut out, &self.settings);
        upstream_health::write(&mut out, &self.control);
        connections::write(&mut out, &self.upstreams.snapshot());
        self.certificates.write(&mut out, &current);
        configuration::write(&mut out, &current.config);
        registry.write(&mut out, self.settings.prometheus_legacy_latency);
        self.recorded.write(&mut out);
        out.into_text()
    }
}
