//! What an operator writes.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use towergate_queue::QueueConfig;
use towergate_schema::{Schema, typedefs};

use crate::propagation::PropagationConfig;

/// The configuration of the plugin `zipkin`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct ZipkinConfig {
    /// What the gateway is called in Zipkin.
    #[schema(required, default = "kong")]
    pub local_service_name: String,
    /// Where spans are sent, in Zipkin's JSON v2: usually `http://zipkin:9411/api/v2/spans`. Without it traces are
    /// only passed on.
    #[schema(like = typedefs::url)]
    pub http_endpoint: Option<String>,
    /// Of how many requests spans are sent, from 0 to 1, if their sender has not decided.
    #[schema(default = 0.001, between(0, 1))]
    pub sample_ratio: Option<f64>,
    /// What the other side of a span is called that is no service.
    pub default_service_name: Option<String>,
    /// Whether the id of the credential is sent with a span.
    #[schema(required, default = true)]
    pub include_credential: bool,
    /// How many bytes the id of a new trace has.
    #[schema(required, default = 16, one_of(8, 16))]
    pub traceid_byte_count: u8,
    /// The old way to say `propagation`: `preserve` looks for any format and lets a trace go on in it, `ignore`
    /// begins a trace for each request, a format's name adds that format to what is preserved.
    #[schema(
        required,
        default = "preserve",
        one_of("preserve", "ignore", "b3", "b3-single", "w3c", "jaeger", "ot", "aws", "datadog", "gcp", "instana"),
        deprecated(
            message = "zipkin: config.header_type is deprecated, please use config.propagation options instead",
            removal_in_version = "4.0",
            old_default = "preserve"
        )
    )]
    pub header_type: String,
    /// The old way to say `propagation.default_format`.
    #[schema(
        required,
        default = "b3",
        one_of("b3", "b3-single", "w3c", "jaeger", "ot", "aws", "datadog", "gcp", "instana"),
        deprecated(
            message = "zipkin: config.default_header_type is deprecated, please use config.propagation.default_format instead",
            removal_in_version = "4.0",
            old_default = "b3"
        )
    )]
    pub default_header_type: String,
    /// A header of requests that names tags of the span: `a=b; c=d`.
    #[schema(required, default = "Zipkin-Tags")]
    pub tags_header: String,
    /// Tags of the span of each request.
    #[schema(custom = check_static_tags)]
    pub static_tags: Option<Vec<StaticTag>>,
    /// What the span of a request is called: its method, or its method and path.
    #[schema(required, default = "method", one_of("method", "method_path"))]
    pub http_span_name: String,
    /// The longest wait for a connection to Zipkin, in milliseconds.
    #[schema(default = 2000, like = typedefs::timeout)]
    pub connect_timeout: Option<u64>,
    /// The longest time to send a batch, in milliseconds.
    #[schema(default = 5000, like = typedefs::timeout)]
    pub send_timeout: Option<u64>,
    /// The longest wait for Zipkin's answer, in milliseconds.
    #[schema(default = 5000, like = typedefs::timeout)]
    pub read_timeout: Option<u64>,
    /// A header of responses that names the trace.
    pub http_response_header_for_traceid: Option<String>,
    /// Whether the times of Kong's phases are annotations of spans, or tags with their length.
    #[schema(required, default = "annotations", one_of("annotations", "tags"))]
    pub phase_duration_flavor: String,
    /// How spans wait for Zipkin. Each is an entry.
    #[schema(default = {})]
    pub queue: Option<QueueConfig>,
    /// Which headers a trace comes in and goes on in.
    #[schema(default = {"default_format": "b3"})]
    pub propagation: Option<PropagationConfig>,
}

/// A tag of the span of each request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct StaticTag {
    /// Its name; none that the plugin writes itself.
    #[schema(
        required,
        not_one_of(
            "error",
            "http.method",
            "http.path",
            "http.status_code",
            "kong.balancer.state",
            "kong.balancer.try",
            "kong.consumer",
            "kong.credential",
            "kong.node.id",
            "kong.route",
            "kong.service",
            "lc",
            "peer.hostname"
        )
    )]
    pub name: String,
    /// Its value.
    #[schema(required)]
    pub value: String,
}

fn check_static_tags(tags: &Value) -> Result<(), String> {
    let mut found = HashSet::new();
    let names = tags.as_array().into_iter().flatten().filter_map(|tag| tag.get("name")?.as_str());
    for name in names {
        if !found.insert(name) {
            return Err(format!("repeated tags are not allowed: {name}"));
        }
    }
    Ok(())
}

impl Default for ZipkinConfig {
    fn default() -> Self {
        Self {
            local_service_name: "kong".into(),
            http_endpoint: None,
            sample_ratio: Some(0.001),
            default_service_name: None,
            include_credential: true,
            traceid_byte_count: 16,
            header_type: "preserve".into(),
            default_header_type: "b3".into(),
            tags_header: "Zipkin-Tags".into(),
            static_tags: None,
            http_span_name: "method".into(),
            connect_timeout: Some(2000),
            send_timeout: Some(5000),
            read_timeout: Some(5000),
            http_response_header_for_traceid: None,
            phase_duration_flavor: "annotations".into(),
            queue: Some(QueueConfig::default()),
            propagation: Some(PropagationConfig { default_format: "b3".into(), ..PropagationConfig::default() }),
        }
    }
}
