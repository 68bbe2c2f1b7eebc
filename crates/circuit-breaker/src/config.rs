//! What an operator writes.

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

use crate::{failures::Failures, rules::Rules};

/// The configuration of the plugin `circuit-breaker`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
#[schema(at_least_one_of("failure_threshold", "error_percentage"))]
pub struct CircuitBreakerConfig {
    /// How long, in seconds, a circuit stays open before a trial call is let through.
    #[schema(required, default = 30, gt = 0, between(0, 86_400))]
    pub reset_timeout: f64,
    /// How many failures in a row open a circuit. Null means that failures in a row do not.
    #[schema(default = 5, between(1, 1_000_000))]
    pub failure_threshold: Option<u32>,
    /// The statuses of the upstream that count as failures; all others are successes.
    #[schema(required, default = [500, 502, 503, 504], elements(between(100, 999)))]
    pub failure_statuses: BTreeSet<u16>,
    /// What counts as a failure when the upstream gives no answer: no connection (`connect`), connecting, writing or
    /// reading that takes too long (`timeout`), a connection that breaks or an answer that is not HTTP (`response`).
    #[schema(required, default = ["connect", "timeout", "response"])]
    pub failure_errors: BTreeSet<FailureError>,
    /// A call whose answer takes longer than so many seconds to begin counts as a failure, whatever the answer. Null
    /// means that calls may take any time.
    #[schema(gt = 0, between(0, 86_400))]
    pub slow_call_duration: Option<f64>,
    /// How far back, in seconds, calls count.
    #[schema(required, default = 60, gt = 0, between(0, 86_400))]
    pub window: f64,
    /// How many calls the window must hold before `error_percentage` opens a circuit.
    #[schema(required, default = 10, between(1, 1_000_000))]
    pub min_requests: u32,
    /// How many per cent of the calls in the window must have failed to open a circuit. Null means that the share of
    /// failures does not.
    #[schema(gt = 0, between(0, 100))]
    pub error_percentage: Option<f64>,
    /// How many trial calls may be under way at the same time while a circuit is half open.
    #[schema(required, default = 1, between(1, 1_000_000))]
    pub half_open_max_requests: u32,
    /// How many trial calls must succeed before a circuit closes.
    #[schema(required, default = 1, between(1, 1_000_000))]
    pub success_threshold: u32,
    /// What has a circuit of its own: each `service`, each `route`, or each `target` of a service.
    #[schema(required, default = "service")]
    pub scope: Scope,
    /// Whether responses are sent without `X-Circuit-State` and `Retry-After`.
    #[schema(required, default = false)]
    pub hide_client_headers: bool,
}

/// A way in which an upstream gives no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum FailureError {
    /// There is no connection: refused, unreachable, no agreement on TLS.
    Connect,
    /// Connecting, writing or reading takes too long.
    Timeout,
    /// The connection breaks before an answer, or the answer is not HTTP.
    Response,
}

/// What has a circuit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each service.
    #[default]
    Service,
    /// Each route.
    Route,
    /// Each target of a service: the others are used while one is open.
    Target,
}

impl Default for CircuitBreakerConfig {
    fn default() -> Self {
        Self {
            reset_timeout: 30.0,
            failure_threshold: Some(5),
            failure_statuses: FAILURE_STATUSES.into(),
            failure_errors: [FailureError::Connect, FailureError::Timeout, FailureError::Response].into(),
            slow_call_duration: None,
            window: 60.0,
            min_requests: 10,
            error_percentage: None,
            half_open_max_requests: 1,
            success_threshold: 1,
            scope: Scope::Service,
            hide_client_headers: false,
        }
    }
}

/// The statuses that are failures unless told otherwise.
pub(crate) const FAILURE_STATUSES: [u16; 4] = [500, 502, 503, 504];

impl CircuitBreakerConfig {
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            failure_threshold: self.failure_threshold.and_then(NonZeroU32::new),
            error_percentage: self.error_percentage,
            min_requests: self.min_requests,
            window: seconds(self.window),
            reset_timeout: seconds(self.reset_timeout),
            half_open_max_requests: at_least_one(self.half_open_max_requests),
            success_threshold: at_least_one(self.success_threshold),
        }
    }

    pub(crate) fn failures(&self) -> Failures {
        let has = |error| self.failure_errors.contains(&error);
        Failures {
            connect: has(FailureError::Connect),
            timeout: has(FailureError::Timeout),
            response: has(FailureError::Response),
            slow: self.slow_call_duration.map(seconds),
            ..Failures::new(self.failure_statuses.iter().copied())
        }
    }
}

/// The schema lets no negative or endless one through; a configuration made in code might be anything.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}
