//! What an operator writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use towergate_schema::{Path, Problem, Schema};

use crate::{period::Period, rate_limiting::config::decreasing, redis::RedisConfig};

/// The configuration of the plugin `response-ratelimiting`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
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
#[schema(shorthand("redis_host", path = "redis.host", kind = string, deprecated(message = "response-ratelimiting: config.redis_host is deprecated, please use config.redis.host instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_port", path = "redis.port", kind = integer, deprecated(message = "response-ratelimiting: config.redis_port is deprecated, please use config.redis.port instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_password", path = "redis.password", kind = string, len_min = 0, deprecated(message = "response-ratelimiting: config.redis_password is deprecated, please use config.redis.password instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_username", path = "redis.username", kind = string, deprecated(message = "response-ratelimiting: config.redis_username is deprecated, please use config.redis.username instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_ssl", path = "redis.ssl", kind = boolean, deprecated(message = "response-ratelimiting: config.redis_ssl is deprecated, please use config.redis.ssl instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_ssl_verify", path = "redis.ssl_verify", kind = boolean, deprecated(message = "response-ratelimiting: config.redis_ssl_verify is deprecated, please use config.redis.ssl_verify instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_server_name", path = "redis.server_name", kind = string, deprecated(message = "response-ratelimiting: config.redis_server_name is deprecated, please use config.redis.server_name instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_timeout", path = "redis.timeout", kind = integer, deprecated(message = "response-ratelimiting: config.redis_timeout is deprecated, please use config.redis.timeout instead", removal_in_version = "4.0")))]
#[schema(shorthand("redis_database", path = "redis.database", kind = integer, deprecated(message = "response-ratelimiting: config.redis_database is deprecated, please use config.redis.database instead", removal_in_version = "4.0")))]
pub struct ResponseRatelimitingConfig {
    /// The header in which the upstream says what a response costs: `video=2, image=1`.
    #[schema(default = "x-kong-limit")]
    pub header_name: Option<String>,
    /// Whose responses count together. What a request does not have is replaced by the client's address.
    #[schema(default = "consumer", one_of("consumer", "credential", "ip"))]
    pub limit_by: Option<String>,
    /// Where costs are counted: by each node for itself (`local`), or by all nodes together (`redis`).
    /// Kong's `cluster` needs a database, which this gateway runs without.
    #[schema(
        default = "local",
        one_of("local", "redis"),
        message = "expected one of: local, redis (cluster counts in a database, which this gateway runs without)"
    )]
    pub policy: Option<String>,
    /// Whether requests pass without a limit while Redis does not answer, or are refused with 500.
    #[schema(required, default = true)]
    pub fault_tolerant: bool,
    /// The Redis server for `policy: redis`.
    pub redis: RedisConfig,
    /// Whether a request is refused before it goes upstream if any limit is used up.
    #[schema(required, default = false)]
    pub block_on_first_violation: bool,
    /// Whether clients are not told about limits and what is left of them in each period.
    #[schema(required, default = false)]
    pub hide_client_headers: bool,
    /// The limits, by the name under which the upstream says what a response costs.
    #[schema(required, len_min = 1)]
    pub limits: BTreeMap<String, PeriodLimits>,
}

/// How much may be used in each period.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
#[schema(custom = check_periods)]
#[schema(at_least_one_of("second", "minute", "hour", "day", "month", "year"))]
pub struct PeriodLimits {
    /// How much may be used per second.
    #[schema(gt = 0)]
    pub second: Option<f64>,
    /// How much may be used per minute.
    #[schema(gt = 0)]
    pub minute: Option<f64>,
    /// How much may be used per hour.
    #[schema(gt = 0)]
    pub hour: Option<f64>,
    /// How much may be used per day (UTC).
    #[schema(gt = 0)]
    pub day: Option<f64>,
    /// How much may be used per month (UTC).
    #[schema(gt = 0)]
    pub month: Option<f64>,
    /// How much may be used per year (UTC).
    #[schema(gt = 0)]
    pub year: Option<f64>,
}

impl PeriodLimits {
    /// The limits that are set, the shortest period first.
    pub fn limits(&self) -> impl Iterator<Item = (Period, f64)> {
        let limits = [self.second, self.minute, self.hour, self.day, self.month, self.year];
        Period::ALL.into_iter().zip(limits).filter_map(|(period, limit)| Some((period, limit?)))
    }
}

impl Default for ResponseRatelimitingConfig {
    fn default() -> Self {
        Self {
            header_name: Some("x-kong-limit".to_owned()),
            limit_by: Some("consumer".to_owned()),
            policy: Some("local".to_owned()),
            fault_tolerant: true,
            redis: RedisConfig::default(),
            block_on_first_violation: false,
            hide_client_headers: false,
            limits: BTreeMap::new(),
        }
    }
}

/// A limit must not be lower than that of a shorter period.
fn check_periods(limits: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    decreasing(limits, "the").map_or(Ok(()), |text| Err(vec![Problem::new(Path::root(), text)]))
}
