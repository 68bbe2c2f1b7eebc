//! The layer for a service of one's own.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use tower_layer::Layer;
use towergate_core::{Backoff, GuardLayer, GuardService, One, RetryBudget, RetryRules};

use crate::policy::Retry;

/// Says when and how attempts are repeated: the layer. It stands somewhere outside the proxying
/// service, which keeps to what it says.
#[derive(Debug, Clone, Default)]
pub struct RetryLayer {
    rules: RetryRules,
}

impl RetryLayer {
    /// Kong's rule: as often as the service says, at once, never because of a status.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often a request is sent again at most. Default: as the service says.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.rules.retries = Some(retries);
        self
    }

    /// Answers that count as failed attempts. Default: none.
    #[must_use]
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = StatusCode>) -> Self {
        self.rules.statuses = statuses.into_iter().collect();
        self
    }

    /// The methods whose requests may be sent again once the upstream may have seen them. Default: all
    /// but `POST`, `LOCK` and `PATCH`.
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.rules.methods = Some(methods.into_iter().collect());
        self
    }

    /// Waits before another attempt: a random part of `base`, which doubles up to `limit`. Default: no
    /// pause.
    #[must_use]
    pub fn backoff(mut self, base: Duration, limit: Duration) -> Self {
        self.rules.backoff = Some(Backoff { base, limit });
        self
    }

    /// The longest wait for the head of one attempt's answer. Default: as the service says.
    #[must_use]
    pub fn try_timeout(mut self, limit: Duration) -> Self {
        self.rules.try_timeout = Some(limit);
        self
    }

    /// The longest wait for the head of an answer, all attempts together. Default: none.
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.rules.deadline = Some(limit);
        self
    }

    /// What further attempts are paid from; it may be shared with other layers. Default: no limit.
    #[must_use]
    pub fn budget(mut self, budget: Arc<dyn RetryBudget>) -> Self {
        self.rules.budget = Some(budget);
        self
    }

    /// Tries another target beside if no answer has begun after so long. Default: never.
    #[must_use]
    pub fn hedge_after(mut self, wait: Duration) -> Self {
        self.rules.hedge_after = Some(wait);
        self
    }
}

impl<S> Layer<S> for RetryLayer {
    type Service = GuardService<S, One<Retry>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(Retry::new(self.rules.clone())).layer(inner)
    }
}
