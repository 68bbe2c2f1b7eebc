//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_queue::QueueConfig;
use towergate_schema::{Schema, typedefs};

use crate::statsd::consumer_identifier;

/// The configuration of the plugin `datadog`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct DatadogConfig {
    /// The agent's name or address; null is what `KONG_DATADOG_AGENT_HOST` says.
    #[schema(like = typedefs::host, referenceable, default = "localhost")]
    pub host: Option<String>,
    /// Its port; null is what `KONG_DATADOG_AGENT_PORT` says.
    #[schema(like = typedefs::port, default = 8125)]
    pub port: Option<u16>,
    /// What every metric's name begins with.
    #[schema(default = "kong")]
    pub prefix: Option<String>,
    /// The tag that names the service.
    #[schema(default = "name")]
    pub service_name_tag: Option<String>,
    /// The tag that tells the status.
    #[schema(default = "status")]
    pub status_tag: Option<String>,
    /// The tag that names the consumer.
    #[schema(default = "consumer")]
    pub consumer_tag: Option<String>,
    /// Has no effect any more.
    #[schema(deprecated(
        message = "datadog: config.retry_count no longer works, please use config.queue.max_retry_time instead",
        removal_in_version = "4.0",
        old_default = 10
    ))]
    pub retry_count: Option<i64>,
    /// How many requests are sent together, if it is not 1.
    #[schema(deprecated(
        message = "datadog: config.queue_size is deprecated, please use config.queue.max_batch_size instead",
        removal_in_version = "4.0",
        old_default = 1
    ))]
    pub queue_size: Option<i64>,
    /// How many seconds a batch waits for more, if it is not 2.
    #[schema(deprecated(
        message = "datadog: config.flush_timeout is deprecated, please use config.queue.max_coalescing_delay instead",
        removal_in_version = "4.0",
        old_default = 2
    ))]
    pub flush_timeout: Option<f64>,
    /// How requests wait to be sent.
    pub queue: QueueConfig,
    /// What is sent of each request.
    #[schema(required, default = [
        {"name": "request_count", "stat_type": "counter", "sample_rate": 1, "tags": ["app:kong"], "consumer_identifier": "custom_id"},
        {"name": "latency", "stat_type": "timer", "tags": ["app:kong"], "consumer_identifier": "custom_id"},
        {"name": "request_size", "stat_type": "timer", "tags": ["app:kong"], "consumer_identifier": "custom_id"},
        {"name": "response_size", "stat_type": "timer", "tags": ["app:kong"], "consumer_identifier": "custom_id"},
        {"name": "upstream_latency", "stat_type": "timer", "tags": ["app:kong"], "consumer_identifier": "custom_id"},
        {"name": "kong_latency", "stat_type": "timer", "tags": ["app:kong"], "consumer_identifier": "custom_id"}
    ])]
    pub metrics: Vec<DatadogMetricConfig>,
}

/// One metric of `datadog`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Schema)]
#[schema(conditional(
    if_field = "stat_type",
    if_match(one_of("counter", "gauge")),
    then_field = "sample_rate",
    then_match(required)
))]
#[serde(default, deny_unknown_fields)]
pub struct DatadogMetricConfig {
    /// What is told.
    #[schema(
        required,
        one_of("kong_latency", "latency", "request_count", "request_size", "response_size", "upstream_latency")
    )]
    pub name: String,
    /// As which sort of metric.
    #[schema(required, one_of("counter", "gauge", "histogram", "meter", "set", "timer", "distribution"))]
    pub stat_type: String,
    /// Tags of one's own.
    #[schema(elements(pattern("^.*[^:]$", shown = "^.*[^:]$")))]
    pub tags: Option<Vec<String>>,
    /// Of which part of the requests: 0.1 is one in ten.
    #[schema(between(0, 1))]
    pub sample_rate: Option<f64>,
    /// What consumers are called.
    #[schema(like = consumer_identifier)]
    pub consumer_identifier: Option<String>,
}

impl Default for DatadogConfig {
    fn default() -> Self {
        let metric = |name: &str| DatadogMetricConfig {
            name: name.into(),
            stat_type: if name == "request_count" { "counter" } else { "timer" }.into(),
            tags: Some(vec!["app:kong".into()]),
            sample_rate: (name == "request_count").then_some(1.0),
            consumer_identifier: Some("custom_id".into()),
        };
        let names = ["request_count", "latency", "request_size", "response_size", "upstream_latency", "kong_latency"];
        Self {
            host: Some("localhost".into()),
            port: Some(8125),
            prefix: Some("kong".into()),
            service_name_tag: Some("name".into()),
            status_tag: Some("status".into()),
            consumer_tag: Some("consumer".into()),
            retry_count: None,
            queue_size: None,
            flush_timeout: None,
            queue: QueueConfig::default(),
            metrics: names.map(metric).to_vec(),
        }
    }
}
