//! What an operator writes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use towergate_schema::{Path, Problem, Schema, typedefs};

use crate::{period::Period, redis::RedisConfig};

/// The configuration of the plugin `rate-limiting`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
#[schema(custom = check_limits)]
#[schema(owner(at_least_one_of(
    "config.second",
    "config.minute",
    "config.hour",
    "config.day",
    "config.month",
    "config.year"
)))]
#[schema(owner(conditional(
    if_field = "config.policy",
    if_match(eq = "redis"),
    then_field = "config.redis.host",
    then_match(required)
)))]
#[schema(owner(conditional(
    if_field = "config.policy",
    if_match(eq = "redis"),
    then_field = "config.redis.port",
    then_match(required)
)))]
#[schema(owner(conditional(
    if_field = "config.policy",
    if_match(eq = "redis"),
    then_field = "config.redis.timeout",
    then_match(required)
)))]
#[schema(owner(conditional(
    if_field = "config.limit_by",
    if_match(eq = "header"),
    then_field = "config.header_name",
    then_match(required)
)))]
#[schema(owner(conditional(
    if_field = "config.limit_by",
    if_match(eq = "path"),
    then_field = "config.path",
    then_match(required)
)))]
#[schema(shorthand("redis_host", path = "redis.host", kind = string, deprecated(message = "rate-limiting: config.redis_host is deprecated, please use config.redis.host instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_port", path = "redis.port", kind = integer, deprecated(message = "rate-limiting: config.redis_port is deprecated, please use config.redis.port instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_password", path = "redis.password", kind = string, len_min = 0, deprecated(message = "rate-limiting: config.redis_password is deprecated, please use config.redis.password instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_username", path = "redis.username", kind = string, deprecated(message = "rate-limiting: config.redis_username is deprecated, please use config.redis.username instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_ssl", path = "redis.ssl", kind = boolean, deprecated(message = "rate-limiting: config.redis_ssl is deprecated, please use config.redis.ssl instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_ssl_verify", path = "redis.ssl_verify", kind = boolean, deprecated(message = "rate-limiting: config.redis_ssl_verify is deprecated, please use config.redis.ssl_verify instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_server_name", path = "redis.server_name", kind = string, deprecated(message = "rate-limiting: config.redis_server_name is deprecated, please use config.redis.server_name instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_timeout", path = "redis.timeout", kind = integer, deprecated(message = "rate-limiting: config.redis_timeout is deprecated, please use config.redis.timeout instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_database", path = "redis.database", kind = integer, deprecated(message = "rate-limiting: config.redis_database is deprecated, please use config.redis.database instead", removal_in_version = "4.0")))]
pub struct RateLimitingConfig {
    /// How many requests may be made per second.
    #[schema(gt = 0)]
    pub second: Option<f64>,
    /// How many requests may be made per minute.
    #[schema(gt = 0)]
    pub minute: Option<f64>,
    /// How many requests may be made per hour.
    #[schema(gt = 0)]
    pub hour: Option<f64>,
    /// How many requests may be made per day (UTC).
    #[schema(gt = 0)]
    pub day: Option<f64>,
    /// How many requests may be made per month (UTC).
    #[schema(gt = 0)]
    pub month: Option<f64>,
    /// How many requests may be made per year (UTC).
    #[schema(gt = 0)]
    pub year: Option<f64>,
    /// Whose requests count together. What a request does not have (no consumer, another path) is
    /// replaced by the client's address.
    #[schema(default = "consumer", one_of("consumer", "credential", "ip", "service", "header", "path"))]
    pub limit_by: Option<String>,
    /// The header for `limit_by: header`.
    #[schema(like = typedefs::header_name)]
    pub header_name: Option<String>,
    /// The path for `limit_by: path`.
    #[schema(like = typedefs::path)]
    pub path: Option<String>,
    /// Where requests are counted: by each node for itself (`local`), or by all nodes together
    /// (`redis`). Kong's `cluster` needs a database, which this gateway runs without.
    #[schema(
        default = "local",
        len_min = 0,
        one_of("local", "redis"),
        message = "expected one of: local, redis (cluster counts in a database, which this gateway runs without)"
    )]
    pub policy: Option<String>,
    /// Whether requests pass without a limit while Redis does not answer, or are refused with 500.
    #[schema(required, default = true)]
    pub fault_tolerant: bool,
    /// The Redis server for `policy: redis`.
    pub redis: RedisConfig,
    /// Whether clients are told nothing about their limits.
    #[schema(required, default = false)]
    pub hide_client_headers: bool,
    /// The status of a refusal.
    #[schema(default = 429, gt = 0)]
    pub error_code: Option<f64>,
    /// The message of a refusal.
    #[schema(default = "API rate limit exceeded")]
    pub error_message: Option<String>,
    /// With `policy: redis`: how often, in seconds, what was counted is exchanged with Redis, at
    /// least 0.02. With -1 each request is counted there: exact over all nodes, one round trip more.
    #[schema(required, default = -1)]
    pub sync_rate: f64,
}

impl Default for RateLimitingConfig {
    fn default() -> Self {
        Self {
            second: None,
            minute: None,
            hour: None,
            day: None,
            month: None,
            year: None,
            limit_by: Some("consumer".to_owned()),
            header_name: None,
            path: None,
            policy: Some("local".to_owned()),
            fault_tolerant: true,
            redis: RedisConfig::default(),
            hide_client_headers: false,
            error_code: Some(429.0),
            error_message: Some("API rate limit exceeded".to_owned()),
            sync_rate: -1.0,
        }
    }
}

impl RateLimitingConfig {
    /// The limits that are set, the shortest period first.
    pub fn limits(&self) -> impl Iterator<Item = (Period, f64)> {
        let limits = [self.second, self.minute, self.hour, self.day, self.month, self.year];
        Period::ALL.into_iter().zip(limits).filter_map(|(period, limit)| Some((period, limit?)))
    }
}

/// The `sync_rate` that counts each request in Redis.
pub(crate) const EACH_REQUEST: f64 = -1.0;

/// What Kong checks beyond the single fields; the first fault is told.
fn check_limits(config: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    let problem = |text: String| Err(vec![Problem::new(Path::root(), text)]);
    if let Some(text) = decreasing(config, "The") {
        return problem(text);
    }
    let redis = config.get("policy").and_then(Value::as_str) == Some("redis");
    let sync_rate = config.get("sync_rate").and_then(Value::as_f64).unwrap_or(EACH_REQUEST);
    match sync_rate {
        EACH_REQUEST => Ok(()),
        _ if !redis => problem("sync_rate can only be used with the redis policy".to_owned()),
        rate if rate < 0.02 => problem("sync_rate must be greater than 0.02, or -1 to disable".to_owned()),
        _ => Ok(()),
    }
}

/// Kong's words for a limit that is lower than that of a shorter period.
pub(crate) fn decreasing(limits: &Map<String, Value>, article: &str) -> Option<String> {
    let limit = |period: Period| limits.get(period.name()).and_then(Value::as_f64);
    for (place, lower) in Period::ALL.into_iter().enumerate() {
        for upper in Period::ALL.into_iter().skip(place) {
            if let (Some(low), Some(up)) = (limit(lower), limit(upper))
                && up < low
            {
                let (upper, lower) = (upper.name(), lower.name());
                return Some(format!(
                    "{article} limit for {upper}({up:.1}) cannot be lower than the limit for {lower}({low:.1})"
                ));
            }
        }
    }
    None
}
