//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// The configuration of the plugin `prometheus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct PrometheusConfig {
    /// Whether requests and bytes are counted for each consumer, by user name. Otherwise the label
    /// `consumer` is empty.
    #[schema(default = false)]
    pub per_consumer: Option<bool>,
    /// Whether requests are counted by status (`kong_http_requests_total`).
    #[schema(default = false)]
    pub status_code_metrics: Option<bool>,
    /// Accepted; there is nothing to count yet.
    #[schema(default = false)]
    pub ai_metrics: Option<bool>,
    /// Whether latencies are counted (`kong_request_latency_ms`, `kong_upstream_latency_ms`,
    /// `kong_kong_latency_ms`), and of some requests how long each plugin took
    /// (`towergate_plugin_duration_seconds`).
    #[schema(default = false)]
    pub latency_metrics: Option<bool>,
    /// Whether bytes are counted (`kong_bandwidth_bytes`).
    #[schema(default = false)]
    pub bandwidth_metrics: Option<bool>,
    /// Whether the targets of upstreams are shown with their health (`kong_upstream_target_health`).
    /// On for the whole gateway as soon as one plugin says so.
    #[schema(default = false)]
    pub upstream_health_metrics: Option<bool>,
    /// Accepted; there is nothing to count yet.
    #[schema(default = false)]
    pub wasm_metrics: Option<bool>,
}

impl Default for PrometheusConfig {
    /// Kong's: everything is off.
    fn default() -> Self {
        Self {
            per_consumer: Some(false),
            status_code_metrics: Some(false),
            ai_metrics: Some(false),
            latency_metrics: Some(false),
            bandwidth_metrics: Some(false),
            upstream_health_metrics: Some(false),
            wasm_metrics: Some(false),
        }
    }
}
