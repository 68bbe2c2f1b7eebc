//! What an operator writes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use towergate_schema::{Path, Problem, Schema, typedefs};

use crate::{redis::AdvancedRedisConfig, window::WindowType};

/// The configuration of the plugin `rate-limiting-advanced`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
#[schema(custom = check_windows)]
#[schema(conditional(
    if_field = "identifier",
    if_match(eq = "header"),
    then_field = "header_name",
    then_match(required)
))]
#[schema(conditional(if_field = "identifier", if_match(eq = "path"), then_field = "path", then_match(required)))]
#[schema(conditional(
    if_field = "enforce_consumer_groups",
    if_match(eq = true),
    then_field = "consumer_groups",
    then_match(required)
))]
pub struct RateLimitingAdvancedConfig {
    /// How many requests may be made in each window.
    #[schema(required, len_min = 1, elements(gt = 0))]
    pub limit: Vec<f64>,
    /// How long each window is, in seconds; as many as there are limits.
    #[schema(required, len_min = 1, elements(gt = 0))]
    pub window_size: Vec<f64>,
    /// `fixed`: counting begins again with each window. `sliding`: of the window before, the part
    /// counts that the window of now still covers.
    #[schema(default = "sliding", one_of("fixed", "sliding"))]
    pub window_type: Option<String>,
    /// Whose requests count together. What a request does not have (no consumer, another path) is
    /// replaced by the client's address.
    #[schema(
        default = "consumer",
        one_of("ip", "credential", "consumer", "service", "header", "path", "consumer-group")
    )]
    pub identifier: Option<String>,
    /// Several of these at once; takes the place of `identifier`.
    #[schema(elements(one_of("ip", "credential", "consumer", "service", "header", "path", "consumer-group")))]
    pub compound_identifier: Option<Vec<String>>,
    /// The header for `identifier: header`.
    #[schema(like = typedefs::header_name)]
    pub header_name: Option<String>,
    /// The path for `identifier: path`.
    #[schema(like = typedefs::path)]
    pub path: Option<String>,
    /// Where requests are counted: by each node for itself (`local`), or by all nodes together
    /// (`redis`). Kong's `cluster` needs a database, which this gateway runs without.
    #[schema(
        default = "local",
        one_of("local", "redis"),
        message = "expected one of: local, redis (cluster counts in a database, which this gateway runs without)"
    )]
    pub strategy: Option<String>,
    /// With `strategy: redis`: how often, in seconds, what was counted is exchanged with Redis, at
    /// least 0.02; 0 counts each request there, exactly over all nodes; -1 never exchanges anything.
    /// Null counts each request (Kong refuses it).
    pub sync_rate: Option<f64>,
    /// Plugins of the same namespace count together. Null is a namespace of this plugin's own.
    pub namespace: Option<String>,
    /// Accepted as in Kong; counters need no dictionary.
    #[schema(default = "kong_rate_limiting_counters")]
    pub dictionary_name: Option<String>,
    /// Accepted as in Kong; counters need no dictionary.
    #[schema(default = "kong_locks")]
    pub lock_dictionary_name: Option<String>,
    /// Whether refused requests do not count. While they do, a client that does not pause stays
    /// refused where windows slide.
    #[schema(default = false)]
    pub disable_penalty: Option<bool>,
    /// Whether clients are told nothing about their limits.
    #[schema(default = false)]
    pub hide_client_headers: Option<bool>,
    /// `Retry-After` says up to so many seconds more, so that not all come again at once.
    #[schema(default = 0, between(0, 100000000))]
    pub retry_after_jitter_max: Option<f64>,
    /// Accepted as in Kong, where it is deprecated: a plugin scoped to a consumer group takes the
    /// place of this one for its members.
    #[schema(default = false)]
    pub enforce_consumer_groups: Option<bool>,
    /// See `enforce_consumer_groups`.
    pub consumer_groups: Option<Vec<String>>,
    /// The status of a refusal.
    #[schema(default = 429, gt = 0)]
    pub error_code: Option<f64>,
    /// The message of a refusal.
    #[schema(default = "API rate limit exceeded")]
    pub error_message: Option<String>,
    /// Redis for `strategy: redis`. While it does not answer, each node counts for itself.
    pub redis: AdvancedRedisConfig,
}

impl Default for RateLimitingAdvancedConfig {
    fn default() -> Self {
        Self {
            limit: Vec::new(),
            window_size: Vec::new(),
            window_type: Some("sliding".to_owned()),
            identifier: Some("consumer".to_owned()),
            compound_identifier: None,
            header_name: None,
            path: None,
            strategy: Some("local".to_owned()),
            sync_rate: None,
            namespace: None,
            dictionary_name: Some("kong_rate_limiting_counters".to_owned()),
            lock_dictionary_name: Some("kong_locks".to_owned()),
            disable_penalty: Some(false),
            hide_client_headers: Some(false),
            retry_after_jitter_max: Some(0.0),
            enforce_consumer_groups: Some(false),
            consumer_groups: None,
            error_code: Some(429.0),
            error_message: Some("API rate limit exceeded".to_owned()),
            redis: AdvancedRedisConfig::default(),
        }
    }
}

impl RateLimitingAdvancedConfig {
    /// How its windows move.
    pub fn kind(&self) -> WindowType {
        if self.window_type.as_deref() == Some("fixed") { WindowType::Fixed } else { WindowType::Sliding }
    }

    /// Sizes in seconds and limits, the shortest window first.
    pub fn windows(&self) -> Vec<(f64, f64)> {
        let mut windows: Vec<_> = self.window_size.iter().copied().zip(self.limit.iter().copied()).collect();
        windows.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        windows
    }
}

/// What holds between the fields; the first fault is told.
fn check_windows(config: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    let length = |name: &str| config.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    if length("limit") != length("window_size") {
        let text = "You must provide the same number of windows and limits";
        return Err(vec![Problem::new(Path::root(), text)]);
    }
    match config.get("sync_rate").and_then(Value::as_f64) {
        Some(rate) if rate > 0.0 && rate < 0.02 => {
            Err(vec![Problem::new(Path::root().key("sync_rate"), "must be at least 0.02, or 0, or -1")])
        }
        _ => Ok(()),
    }
}
