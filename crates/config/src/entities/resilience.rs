//! How an upstream goes through bad times: Towergate's own fields, which Kong does not have.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use towergate_schema::{Problem, Schema};

/// How an upstream goes through bad times, beyond what Kong does. All of it is off unless it is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[schema(conditional(if_field = "max_pending", if_match(gt = 0), then_field = "max_in_flight", then_match(required)))]
pub struct Resilience {
    /// Seconds after which an address that requests have found unhealthy (passive health checks) gets requests again.
    #[schema(gt = 0, between(0, 65535))]
    pub readmit_after: Option<f64>,
    /// When an address is left out because of the share of its requests that fail.
    pub outlier_ejection: Option<OutlierEjection>,
    /// Seconds in which an address that is new or well again comes to its whole share.
    #[schema(gt = 0, between(0, 65535))]
    pub slow_start: Option<f64>,
    /// While less than so many per cent of the weights are healthy, all addresses get requests.
    #[schema(gt = 0, between(0, 100))]
    pub panic_threshold: Option<f64>,
    /// So many requests at the same time, until their answers have ended.
    #[schema(between(1, 1000000))]
    pub max_in_flight: Option<u32>,
    /// So many more wait for their turn.
    #[schema(default = 0, between(0, 1000000))]
    pub max_pending: Option<u32>,
    /// Seconds one waits at most.
    #[schema(default = 1, gt = 0, between(0, 3600))]
    pub pending_timeout: Option<f64>,
}

/// When an address is left out because of the share of its requests that fail: answers of 500 and more, broken
/// connections, timeouts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct OutlierEjection {
    /// At least so many per cent of them failed.
    #[schema(required, default = 50, gt = 0, between(0, 100))]
    pub error_percentage: f64,
    /// And there were at least so many.
    #[schema(required, default = 20, between(1, 1000000))]
    pub min_requests: u32,
    /// Seconds for which they count.
    #[schema(required, default = 10, gt = 0, between(0, 3600))]
    pub window: f64,
    /// Seconds for which the address is left out.
    #[schema(required, default = 30, gt = 0, between(0, 65535))]
    pub ejection_time: f64,
    /// At most so many per cent of the addresses are left out at the same time.
    #[schema(required, default = 50, gt = 0, between(0, 100))]
    pub max_ejected_percentage: f64,
}

/// What could never have an effect is refused: health that nobody watches neither ends nor comes back.
pub(super) fn has_effect(upstream: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    let Some(resilience) = upstream.get("resilience").filter(|value| !value.is_null()) else { return Ok(()) };
    let is_set = |field: &str| resilience.get(field).is_some_and(|value| !value.is_null());
    let counts = |checks: &str, side: &str, fields: &[&str]| {
        let limits = upstream.get("healthchecks").and_then(|health| health.get(checks)?.get(side));
        fields.iter().any(|field| limits.and_then(|limits| limits.get(*field)?.as_f64()).unwrap_or(0.0) > 0.0)
    };
    let failures = ["http_failures", "tcp_failures", "timeouts"];
    let by_requests = counts("passive", "unhealthy", &failures);
    let by_asking = counts("active", "healthy", &["interval"]) || counts("active", "unhealthy", &["interval"]);
    let mut problems = Vec::new();
    let mut refuse = |field: &str, message: &str| {
        problems.push(Problem::new(towergate_schema::Path::root().key("resilience").key(field), message));
    };
    if is_set("readmit_after") && !by_requests {
        refuse("readmit_after", "needs a limit in healthchecks.passive.unhealthy: nothing else takes an address out");
    }
    if is_set("panic_threshold") && !by_requests && !by_asking && !is_set("outlier_ejection") {
        refuse("panic_threshold", "needs healthchecks or outlier_ejection: without them every address is healthy");
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
