//! What an operator writes.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use towergate_core::{Backoff, PluginError, RetryRules};
use towergate_schema::Schema;

use crate::budget::Budget;

/// The configuration of the plugin `retry`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// How often a request is sent again at most. Null leaves it to the service's `retries`.
    #[schema(between(0, 32767))]
    pub retries: Option<u32>,
    /// Answers with these statuses count as failed attempts, as connections that break always do. The last answer
    /// reaches the client whatever its status.
    #[schema(required, default = [], elements(between(400, 599)))]
    pub statuses: BTreeSet<u16>,
    /// The methods whose requests may be sent again once the upstream may have seen them. Null means all but `POST`,
    /// `LOCK` and `PATCH`; a connection that cannot be made is tried again whatever the method.
    #[schema(len_min = 1)]
    pub methods: Option<BTreeSet<RetryMethod>>,
    /// The longest pause, in seconds, before the first repetition; it doubles with each further one, and a random part
    /// of it is waited for. Null makes no pause.
    #[schema(gt = 0, between(0, 3600))]
    pub backoff: Option<f64>,
    /// The longest pause at all, in seconds.
    #[schema(required, default = 1, gt = 0, between(0, 3600))]
    pub backoff_limit: f64,
    /// How long, in seconds, the head of one attempt's answer is waited for, connecting included. Null leaves it to the
    /// service's timeouts.
    #[schema(gt = 0, between(0, 86400))]
    pub try_timeout: Option<f64>,
    /// How long, in seconds, the head of an answer is waited for, all attempts and pauses together. Null sets no limit.
    #[schema(gt = 0, between(0, 86400))]
    pub deadline: Option<f64>,
    /// Further attempts are at most so many per cent of the requests of the last `budget_window`, and
    /// `budget_min_per_second` on top. Null sets no budget.
    #[schema(gt = 0, between(0, 100))]
    pub budget_percentage: Option<f64>,
    /// So many further attempts a second are always paid for, so that few requests can be repeated, too.
    #[schema(required, default = 1, between(0, 100000))]
    pub budget_min_per_second: f64,
    /// How far back, in seconds, requests and further attempts count for the budget.
    #[schema(required, default = 10, gt = 0, between(0, 3600))]
    pub budget_window: f64,
    /// If no answer has begun after so many seconds, another target is tried beside, and the answer that begins first
    /// counts. Null never does.
    #[schema(gt = 0, between(0, 3600))]
    pub hedge_after: Option<f64>,
}

/// A method whose requests may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum RetryMethod {
    Get,
    Head,
    Options,
    Trace,
    Put,
    Delete,
    Post,
    Patch,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            retries: None,
            statuses: BTreeSet::new(),
            methods: None,
            backoff: None,
            backoff_limit: 1.0,
            try_timeout: None,
            deadline: None,
            budget_percentage: None,
            budget_min_per_second: 1.0,
            budget_window: 10.0,
            hedge_after: None,
        }
    }
}

impl RetryMethod {
    fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Head => Method::HEAD,
            Self::Options => Method::OPTIONS,
            Self::Trace => Method::TRACE,
            Self::Put => Method::PUT,
            Self::Delete => Method::DELETE,
            Self::Post => Method::POST,
            Self::Patch => Method::PATCH,
        }
    }
}

impl RetryConfig {
    /// The rules, and the budget they draw on.
    pub(crate) fn rules(&self) -> Result<(RetryRules, Option<Arc<Budget>>), PluginError> {
        if let (Some(one), Some(all)) = (self.try_timeout, self.deadline)
            && one >= all
        {
            return Err(PluginError::new("try_timeout", "must be less than deadline, or no attempt is ever repeated"));
        }
        let window = seconds(self.budget_window);
        let budget = self
            .budget_percentage
            .map(|percentage| Arc::new(Budget::new(percentage, window).and_per_second(self.budget_min_per_second)));
        let backoff = |base| Backoff { base: seconds(base), limit: seconds(self.backoff_limit) };
        let statuses = self.statuses.iter().filter_map(|status| StatusCode::from_u16(*status).ok());
        let rules = RetryRules {
            retries: self.retries,
            statuses: statuses.collect(),
            methods: self.methods.as_ref().map(|methods| methods.iter().map(|method| method.method()).collect()),
            backoff: self.backoff.map(backoff),
            try_timeout: self.try_timeout.map(seconds),
            deadline: self.deadline.map(seconds),
            budget: budget.clone().map(|budget| budget as _),
            hedge_after: self.hedge_after.map(seconds),
        };
        Ok((rules, budget))
    }
}

/// The schema lets nothing negative or endless through; a configuration made in code might be anything.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}
