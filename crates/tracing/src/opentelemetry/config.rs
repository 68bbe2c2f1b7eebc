//! What an operator writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use towergate_queue::QueueConfig;
use towergate_schema::{Schema, typedefs};

use crate::propagation::PropagationConfig;

/// The configuration of the plugin `opentelemetry`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
#[schema(at_least_one_of("traces_endpoint", "logs_endpoint"))]
#[schema(shorthand("endpoint", path = "traces_endpoint", kind = string, like = typedefs::url, referenceable, deprecated(message = "OpenTelemetry: config.endpoint is deprecated, please use config.traces_endpoint instead", removal_in_version = "4.0")))]
pub struct OpenTelemetryConfig {
    /// Where spans are sent by OTLP, as protobuf over HTTP: usually `http://collector:4318/v1/traces`.
    #[schema(like = typedefs::url, referenceable)]
    pub traces_endpoint: Option<String>,
    /// Where what the gateway logs is sent by OTLP, as protobuf over HTTP: usually `http://collector:4318/v1/logs`. What
    /// is logged of a request is sent when it is over, with its trace.
    #[schema(like = typedefs::url, referenceable)]
    pub logs_endpoint: Option<String>,
    /// Headers of each request to the collector, a token for example.
    #[schema(keys(like = typedefs::header_name), values(referenceable))]
    pub headers: Option<BTreeMap<String, String>>,
    /// What is said of the gateway, over `service.name` (`kong`), `service.version` and `service.instance.id`
    /// (the node's id). Taken literally.
    #[schema(keys(required), values(required))]
    pub resource_attributes: Option<BTreeMap<String, String>>,
    /// How spans wait for the collector. Each is an entry.
    #[schema(default = {"max_batch_size": 200})]
    pub queue: Option<QueueConfig>,
    /// Of no effect; `queue.max_batch_size` says it.
    #[schema(deprecated(
        message = "opentelemetry: config.batch_span_count is deprecated, please use config.queue.max_batch_size instead",
        removal_in_version = "4.0",
        old_default = 200
    ))]
    pub batch_span_count: Option<i64>,
    /// Of no effect; `queue.max_coalescing_delay` says it.
    #[schema(deprecated(
        message = "opentelemetry: config.batch_flush_delay is deprecated, please use config.queue.max_coalescing_delay instead",
        removal_in_version = "4.0",
        old_default = 3
    ))]
    pub batch_flush_delay: Option<i64>,
    /// The longest wait for a connection to the collector, in milliseconds.
    #[schema(default = 1000, like = typedefs::timeout)]
    pub connect_timeout: Option<u64>,
    /// The longest time to send a batch, in milliseconds.
    #[schema(default = 5000, like = typedefs::timeout)]
    pub send_timeout: Option<u64>,
    /// The longest wait for the collector's answer, in milliseconds.
    #[schema(default = 5000, like = typedefs::timeout)]
    pub read_timeout: Option<u64>,
    /// A header of responses that names the trace.
    pub http_response_header_for_traceid: Option<String>,
    /// The old way to say `propagation`: `preserve` looks for any format and lets a trace go on in it, `ignore`
    /// begins a trace for each request, a format's name adds that format to what is preserved.
    #[schema(
        default = "preserve",
        one_of("preserve", "ignore", "b3", "b3-single", "w3c", "jaeger", "ot", "aws", "gcp", "datadog", "instana"),
        deprecated(
            message = "opentelemetry: config.header_type is deprecated, please use config.propagation options instead",
            removal_in_version = "4.0",
            old_default = "preserve"
        )
    )]
    pub header_type: Option<String>,
    /// Of how many requests spans are sent, from 0 to 1; without it `tracing_sampling_rate` of the settings.
    #[schema(between(0, 1))]
    pub sampling_rate: Option<f64>,
    /// What the sender's decision counts (Kong Enterprise's field). `parent_drop_probability_fallback`: what the
    /// sender does not record is not recorded, the rest by `sampling_rate`. `parent_probability_fallback`: what the
    /// sender has decided holds, the rest by `sampling_rate`.
    #[schema(
        default = "parent_drop_probability_fallback",
        one_of("parent_drop_probability_fallback", "parent_probability_fallback")
    )]
    pub sampling_strategy: Option<String>,
    /// Which headers a trace comes in and goes on in.
    #[schema(default = {"default_format": "w3c"})]
    pub propagation: Option<PropagationConfig>,
}

impl Default for OpenTelemetryConfig {
    fn default() -> Self {
        let queue = QueueConfig { max_batch_size: Some(200), ..QueueConfig::default() };
        Self {
            traces_endpoint: None,
            logs_endpoint: None,
            headers: None,
            resource_attributes: None,
            queue: Some(queue),
            batch_span_count: None,
            batch_flush_delay: None,
            connect_timeout: Some(1000),
            send_timeout: Some(5000),
            read_timeout: Some(5000),
            http_response_header_for_traceid: None,
            header_type: Some("preserve".into()),
            sampling_rate: None,
            sampling_strategy: Some("parent_drop_probability_fallback".into()),
            propagation: Some(PropagationConfig { default_format: "w3c".into(), ..PropagationConfig::default() }),
        }
    }
}
