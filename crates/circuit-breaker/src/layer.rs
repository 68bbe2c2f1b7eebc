//! The layer.

use std::{num::NonZeroU32, time::Duration};

use http::StatusCode;
use tower_layer::Layer;
use towergate_core::Slot;

use crate::{
    config::{FAILURE_STATUSES, Scope},
    failures::Failures,
    judge::EveryError,
    policy::{CircuitBreaker, Clock},
    rules::Rules,
    service::CircuitBreakerService,
};

/// Does not call what keeps failing: the layer. What it refuses and with which answer is on the
/// [crate's page](crate).
///
/// All services made with one layer, and their clones, share its circuit.
#[derive(Debug, Clone)]
pub struct CircuitBreakerLayer<J = EveryError> {
    slot: Slot<CircuitBreaker>,
    judge: J,
}

/// Makes a [`CircuitBreakerLayer`].
#[derive(Debug, Clone)]
#[must_use]
pub struct CircuitBreakerBuilder<J = EveryError> {
    judge: J,
    rules: Rules,
    failures: Failures,
    scope: Scope,
    hide_client_headers: bool,
    clock: Clock,
}

impl CircuitBreakerLayer {
    /// With the defaults: open after five failures in a row for 30 seconds, then one trial call.
    #[expect(clippy::new_without_default, reason = "each makes a circuit of its own")]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// With the defaults, to be changed.
    pub fn builder() -> CircuitBreakerBuilder {
        CircuitBreakerBuilder {
            judge: EveryError,
            rules: Rules::default(),
            failures: Failures::new(FAILURE_STATUSES),
            scope: Scope::Service,
            hide_client_headers: false,
            clock: std::time::Instant::now,
        }
    }

    pub(crate) fn at(slot: Slot<CircuitBreaker>) -> Self {
        Self { slot, judge: EveryError }
    }
}

impl<J> CircuitBreakerBuilder<J> {
    /// Opens after so many failures in a row; `None`: not for that reason. Default 5.
    pub fn failure_threshold(mut self, failures: impl Into<Option<NonZeroU32>>) -> Self {
        self.rules.failure_threshold = failures.into();
        self
    }

    /// Opens when at least so many per cent of the window's calls failed. Default: not for that reason.
    pub fn error_percentage(mut self, percentage: f64) -> Self {
        self.rules.error_percentage = Some(percentage);
        self
    }

    /// How many calls the window must hold before their percentage says anything. Default 10.
    pub fn min_requests(mut self, requests: u32) -> Self {
        self.rules.min_requests = requests;
        self
    }

    /// How far back calls count. Default 60 seconds.
    pub fn window(mut self, window: Duration) -> Self {
        self.rules.window = window;
        self
    }

    /// How long the circuit stays open before a trial call is let through. Default 30 seconds.
    pub fn reset_timeout(mut self, timeout: Duration) -> Self {
        self.rules.reset_timeout = timeout;
        self
    }

    /// How many trial calls may be under way at once. Default 1.
    pub fn half_open_max_requests(mut self, requests: NonZeroU32) -> Self {
        self.rules.half_open_max_requests = requests;
        self
    }

    /// How many trial calls must succeed. Default 1.
    pub fn success_threshold(mut self, successes: NonZeroU32) -> Self {
        self.rules.success_threshold = successes;
        self
    }

    /// The statuses that are failures; all others are successes. Default 500, 502, 503 and 504.
    pub fn failure_statuses(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.failures.statuses = statuses.into_iter().map(|status| status.as_u16()).collect();
        self
    }

    /// Which errors of the inner service are failures; the others say nothing. Default: every error.
    ///
    /// ```
    /// use tower::{BoxError, timeout::error::Elapsed};
    /// use towergate_circuit_breaker::CircuitBreakerLayer;
    ///
    /// let only_timeouts = CircuitBreakerLayer::builder().failure_errors(|error: &BoxError| error.is::<Elapsed>());
    /// ```
    pub fn failure_errors<E, F: Fn(&E) -> bool + Clone>(self, judge: F) -> CircuitBreakerBuilder<F> {
        let Self { judge: _, rules, failures, scope, hide_client_headers, clock } = self;
        CircuitBreakerBuilder { judge, rules, failures, scope, hide_client_headers, clock }
    }

    /// A call whose answer takes longer to begin is a failure, whatever the answer. Default: no limit.
    pub fn slow_call_duration(mut self, duration: Duration) -> Self {
        self.failures.slow = Some(duration);
        self
    }

    /// What has a circuit of its own, where the layer stands in a gateway's stack of plans. Without
    /// a plan there is one for all, or with [`Scope::Target`] one for each target that the inner
    /// service asks the context's [`Gate`](towergate_core::Gate) about. Default [`Scope::Service`].
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Whether responses are sent without `X-Circuit-State` and `Retry-After`. Default no.
    pub fn hide_client_headers(mut self, hidden: bool) -> Self {
        self.hide_client_headers = hidden;
        self
    }

    /// Where the time comes from, for tests: `|| tokio::time::Instant::now().into_std()` is tokio's
    /// clock, which can be paused.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The layer, with a closed circuit.
    pub fn build(self) -> CircuitBreakerLayer<J> {
        let mut policy = CircuitBreaker::with(self.rules, self.failures);
        policy.scope = self.scope;
        policy.hide_client_headers = self.hide_client_headers;
        policy.clock = self.clock;
        CircuitBreakerLayer { slot: Slot::own(policy), judge: self.judge }
    }
}

impl<S, J: Clone> Layer<S> for CircuitBreakerLayer<J> {
    type Service = CircuitBreakerService<S, J>;

    fn layer(&self, inner: S) -> CircuitBreakerService<S, J> {
        CircuitBreakerService::new(inner, self.slot.clone(), self.judge.clone())
    }
}
