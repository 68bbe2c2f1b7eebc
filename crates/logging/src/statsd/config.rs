//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_queue::QueueConfig;
use towergate_schema::{Schema, typedefs};

/// The configuration of the plugin `statsd`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct StatsdConfig {
    /// The server's name or address.
    #[schema(like = typedefs::host, default = "localhost")]
    pub host: Option<String>,
    /// Its port.
    #[schema(like = typedefs::port, default = 8125)]
    pub port: Option<u16>,
    /// What every metric's name begins with.
    #[schema(default = "kong")]
    pub prefix: Option<String>,
    /// What is sent of each request.
    #[schema(default = [
        {"name": "request_count", "stat_type": "counter", "sample_rate": 1},
        {"name": "latency", "stat_type": "timer"},
        {"name": "request_size", "stat_type": "counter", "sample_rate": 1},
        {"name": "status_count", "stat_type": "counter", "sample_rate": 1},
        {"name": "response_size", "stat_type": "counter", "sample_rate": 1},
        {"name": "unique_users", "stat_type": "set"},
        {"name": "request_per_user", "stat_type": "counter", "sample_rate": 1},
        {"name": "upstream_latency", "stat_type": "timer"},
        {"name": "kong_latency", "stat_type": "timer"},
        {"name": "status_count_per_user", "stat_type": "counter", "sample_rate": 1},
        {"name": "status_count_per_workspace", "stat_type": "counter", "sample_rate": 1},
        {"name": "status_count_per_user_per_route", "stat_type": "counter", "sample_rate": 1},
        {"name": "shdict_usage", "stat_type": "gauge", "sample_rate": 1}
    ])]
    pub metrics: Option<Vec<MetricConfig>>,
    /// The statuses of the requests that count, as ranges (`200-299`); null is all, an empty list none.
    #[schema(elements(pattern("^[0-9]+-[0-9]+$", shown = "^[0-9]+-[0-9]+$")))]
    pub allow_status_codes: Option<Vec<String>>,
    /// Up to how many bytes of metrics go into one datagram; 0 is one metric in each.
    #[schema(default = 0, between(0, 65507))]
    pub udp_packet_size: Option<f64>,
    /// Whether to send over TCP instead of UDP.
    #[schema(default = false)]
    pub use_tcp: Option<bool>,
    /// Whether the name of this machine stands after the prefix.
    #[schema(default = false)]
    pub hostname_in_prefix: Option<bool>,
    /// What consumers are called, where a metric does not say.
    #[schema(required, default = "custom_id", one_of("consumer_id", "custom_id", "username"))]
    pub consumer_identifier_default: String,
    /// What services are called, where a metric does not say.
    #[schema(
        required,
        default = "service_name_or_host",
        one_of("service_id", "service_name", "service_host", "service_name_or_host")
    )]
    pub service_identifier_default: String,
    /// What workspaces are called, where a metric does not say.
    #[schema(required, default = "workspace_id", one_of("workspace_id", "workspace_name"))]
    pub workspace_identifier_default: String,
    /// Has no effect any more.
    #[schema(deprecated(
        message = "statsd: config.retry_count no longer works, please use config.queue.max_retry_time instead",
        removal_in_version = "4.0",
        old_default = 10
    ))]
    pub retry_count: Option<i64>,
    /// How many requests are sent together, if it is not 1.
    #[schema(deprecated(
        message = "statsd: config.queue_size is deprecated, please use config.queue.max_batch_size instead",
        removal_in_version = "4.0",
        old_default = 1
    ))]
    pub queue_size: Option<i64>,
    /// How many seconds a batch waits for more, if it is not 2.
    #[schema(deprecated(
        message = "statsd: config.flush_timeout is deprecated, please use config.queue.max_coalescing_delay instead",
        removal_in_version = "4.0",
        old_default = 2
    ))]
    pub flush_timeout: Option<f64>,
    /// How services, routes and so on are told as tags, in whose dialect; without one they stand in the
    /// names of metrics.
    #[schema(one_of("dogstatsd", "influxdb", "librato", "signalfx"))]
    pub tag_style: Option<String>,
    /// How requests wait to be sent.
    pub queue: QueueConfig,
}

/// One metric of `statsd`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Schema)]
#[schema(conditional(
    if_field = "stat_type",
    if_match(one_of("counter", "gauge")),
    then_field = "sample_rate",
    then_match(required)
))]
#[serde(default, deny_unknown_fields)]
pub struct MetricConfig {
    /// What is told.
    #[schema(
        required,
        one_of(
            "kong_latency",
            "latency",
            "request_count",
            "request_per_user",
            "request_size",
            "response_size",
            "status_count",
            "status_count_per_user",
            "unique_users",
            "upstream_latency",
            "status_count_per_workspace",
            "status_count_per_user_per_route",
            "shdict_usage"
        )
    )]
    pub name: String,
    /// As which sort of metric.
    #[schema(required, one_of("counter", "gauge", "histogram", "meter", "set", "timer"))]
    pub stat_type: String,
    /// Of which part of the requests: 0.1 is one in ten.
    #[schema(gt = 0)]
    pub sample_rate: Option<f64>,
    /// What consumers are called.
    #[schema(one_of("consumer_id", "custom_id", "username"))]
    pub consumer_identifier: Option<String>,
    /// What services are called.
    #[schema(one_of("service_id", "service_name", "service_host", "service_name_or_host"))]
    pub service_identifier: Option<String>,
    /// What workspaces are called.
    #[schema(one_of("workspace_id", "workspace_name"))]
    pub workspace_identifier: Option<String>,
}

impl Default for StatsdConfig {
    fn default() -> Self {
        Self {
            host: Some("localhost".into()),
            port: Some(8125),
            prefix: Some("kong".into()),
            metrics: Some(DEFAULT_METRICS.map(metric).to_vec()),
            allow_status_codes: None,
            udp_packet_size: Some(0.0),
            use_tcp: Some(false),
            hostname_in_prefix: Some(false),
            consumer_identifier_default: "custom_id".into(),
            service_identifier_default: "service_name_or_host".into(),
            workspace_identifier_default: "workspace_id".into(),
            retry_count: None,
            queue_size: None,
            flush_timeout: None,
            tag_style: None,
            queue: QueueConfig::default(),
        }
    }
}

const DEFAULT_METRICS: [(&str, &str); 13] = [
    ("request_count", "counter"),
    ("latency", "timer"),
    ("request_size", "counter"),
    ("status_count", "counter"),
    ("response_size", "counter"),
    ("unique_users", "set"),
    ("request_per_user", "counter"),
    ("upstream_latency", "timer"),
    ("kong_latency", "timer"),
    ("status_count_per_user", "counter"),
    ("status_count_per_workspace", "counter"),
    ("status_count_per_user_per_route", "counter"),
    ("shdict_usage", "gauge"),
];

fn metric((name, stat_type): (&str, &str)) -> MetricConfig {
    let sample_rate = matches!(stat_type, "counter" | "gauge").then_some(1.0);
    MetricConfig { name: name.into(), stat_type: stat_type.into(), sample_rate, ..MetricConfig::default() }
}
