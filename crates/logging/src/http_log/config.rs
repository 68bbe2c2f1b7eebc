//! What an operator writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use towergate_queue::QueueConfig;
use towergate_schema::{ENTITY, Path, Problem, Schema, typedefs};

use crate::entry::custom_fields;

/// The configuration of the plugin `http-log`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[schema(custom(fields("http_endpoint", "headers"), check = check_authorization))]
#[serde(default, deny_unknown_fields)]
pub struct HttpLogConfig {
    /// Where entries are sent to. A user and a password in it become `Authorization: Basic`.
    #[schema(required, like = typedefs::url, referenceable, encrypted)]
    pub http_endpoint: String,
    /// How they are sent.
    #[schema(default = "POST", one_of("POST", "PUT", "PATCH"))]
    pub method: Option<String>,
    /// What they are said to be.
    #[schema(default = "application/json", one_of("application/json", "application/json; charset=utf-8"))]
    pub content_type: Option<String>,
    /// How many milliseconds a delivery may take.
    #[schema(default = 10_000)]
    pub timeout: Option<f64>,
    /// How many milliseconds an idle connection is kept.
    #[schema(default = 60_000)]
    pub keepalive: Option<f64>,
    /// Has no effect any more.
    #[schema(deprecated(
        message = "http-log: config.retry_count no longer works, please use config.queue.max_retry_time instead",
        removal_in_version = "4.0",
        old_default = 10
    ))]
    pub retry_count: Option<i64>,
    /// How many entries are sent together, if it is not 1.
    #[schema(deprecated(
        message = "http-log: config.queue_size is deprecated, please use config.queue.max_batch_size instead",
        removal_in_version = "4.0",
        old_default = 1
    ))]
    pub queue_size: Option<i64>,
    /// How many seconds a batch waits for more, if it is not 2.
    #[schema(deprecated(
        message = "http-log: config.flush_timeout is deprecated, please use config.queue.max_coalescing_delay instead",
        removal_in_version = "4.0",
        old_default = 2
    ))]
    pub flush_timeout: Option<f64>,
    /// Headers to send with them.
    #[schema(
        keys(
            like = typedefs::header_name,
            not_pattern("^(?i:host)$", message = "cannot contain 'Host' header"),
            not_pattern("^(?i:content-length)$", message = "cannot contain 'Content-Length' header"),
            not_pattern("^(?i:content-type)$", message = "cannot contain 'Content-Type' header")
        ),
        values(referenceable)
    )]
    pub headers: Option<BTreeMap<String, String>>,
    /// How entries wait to be sent.
    pub queue: QueueConfig,
    /// Fields to add to each entry, by name, see `file-log`.
    #[schema(like = custom_fields)]
    pub custom_fields_by_lua: Option<BTreeMap<String, String>>,
}

impl Default for HttpLogConfig {
    fn default() -> Self {
        Self {
            http_endpoint: String::new(),
            method: Some("POST".into()),
            content_type: Some("application/json".into()),
            timeout: Some(10_000.0),
            keepalive: Some(60_000.0),
            retry_count: None,
            queue_size: None,
            flush_timeout: None,
            headers: None,
            queue: QueueConfig::default(),
            custom_fields_by_lua: None,
        }
    }
}

/// There is one `Authorization`.
fn check_authorization(config: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    let url = config.get("http_endpoint").and_then(Value::as_str).unwrap_or_default();
    let has_user =
        url.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().unwrap_or_default().contains('@'));
    let headers = config.get("headers").and_then(Value::as_object);
    let has_header =
        headers.is_some_and(|headers| headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")));
    match has_user && has_header {
        true => Err(vec![Problem::new(
            Path::root().key(ENTITY),
            "specifying both an 'Authorization' header and user info in 'http_endpoint' is not allowed",
        )]),
        false => Ok(()),
    }
}
