//! What it does to a request.

use std::{sync::Arc, time::Instant};

use http::request;
use serde_json::{Value, json};
use towergate_core::{Context, Env, Guard, PerWorker, Plugin, PluginError, Responding, RetryRules, Verdict};

use crate::{budget::Budget, config::RetryConfig};

/// Says when and how attempts are repeated: the policy.
#[derive(Debug, Clone)]
pub struct Retry {
    rules: PerWorker<RetryRules>,
    budget: Option<Arc<Budget>>,
}

impl Retry {
    /// These rules.
    pub fn new(rules: RetryRules) -> Self {
        Self::with(rules, None)
    }

    fn with(rules: RetryRules, budget: Option<Arc<Budget>>) -> Self {
        Self { rules: PerWorker::new(move || rules.clone()), budget }
    }
}

impl Plugin for Retry {
    const NAME: &'static str = "retry";
    const PRIORITY: i32 = 890;

    type Config = RetryConfig;

    fn new(config: RetryConfig, _: &Env) -> Result<Self, PluginError> {
        let (rules, budget) = config.rules()?;
        Ok(Self::with(rules, budget))
    }

    fn state(&self) -> Option<Value> {
        let left = self.budget.as_ref()?.left_at(Instant::now());
        Some(json!({"budget": {"attempts_left": left.floor()}}))
    }
}

impl Guard for Retry {
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn check(&self, cx: &Context, _: &mut request::Parts) -> Verdict {
        cx.set_retries(self.rules.own().clone());
        Verdict::Pass
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{Method, Request, StatusCode};
    use towergate_core::Backoff;

    use super::*;

    /// The rules that a request meets.
    fn rules(config: RetryConfig) -> RetryRules {
        let policy = <Retry as Plugin>::new(config, &Env::default()).unwrap();
        let (mut head, ()) = Request::new(()).into_parts();
        let cx = Context::of(&mut head);
        assert!(policy.check(&cx, &mut head).is_pass());
        cx.retries().unwrap().clone()
    }

    #[test]
    fn the_defaults_are_kongs_rule() {
        let rules = rules(RetryConfig::default());
        assert!(rules.retries.is_none() && rules.statuses.is_empty() && rules.methods.is_none());
        assert!(rules.backoff.is_none() && rules.try_timeout.is_none() && rules.deadline.is_none());
        assert!(rules.budget.is_none() && rules.hedge_after.is_none());
    }

    #[test]
    fn each_field_has_its_rule() {
        let config = RetryConfig {
            retries: Some(2),
            statuses: [502, 503].into(),
            methods: Some([crate::RetryMethod::Get, crate::RetryMethod::Post].into()),
            backoff: Some(0.1),
            backoff_limit: 2.5,
            try_timeout: Some(0.25),
            deadline: Some(1.0),
            budget_percentage: Some(10.0),
            budget_min_per_second: 0.1,
            budget_window: 10.0,
            hedge_after: Some(0.05),
        };
        let rules = rules(config);
        assert_eq!((rules.retries, rules.methods), (Some(2), Some(vec![Method::GET, Method::POST])));
        assert_eq!(rules.statuses, [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE]);
        let millis = Duration::from_millis;
        assert_eq!(rules.backoff, Some(Backoff { base: millis(100), limit: millis(2500) }));
        assert_eq!((rules.try_timeout, rules.deadline), (Some(millis(250)), Some(millis(1000))));
        assert_eq!(rules.hedge_after, Some(millis(50)));
        let budget = rules.budget.unwrap();
        assert!(budget.withdraw() && !budget.withdraw(), "one in ten seconds");
    }

    #[test]
    fn an_attempt_must_not_take_all_the_time() {
        let config = RetryConfig { try_timeout: Some(2.0), deadline: Some(2.0), ..RetryConfig::default() };
        let error = <Retry as Plugin>::new(config, &Env::default()).unwrap_err();
        assert_eq!(error.to_string(), "try_timeout: must be less than deadline, or no attempt is ever repeated");
    }

    #[test]
    fn operators_see_what_is_left_of_the_budget() {
        let config = RetryConfig { budget_percentage: Some(20.0), ..RetryConfig::default() };
        let policy = <Retry as Plugin>::new(config, &Env::default()).unwrap();
        assert_eq!(policy.state(), Some(json!({"budget": {"attempts_left": 10.0}})));
        assert_eq!(Retry::new(RetryRules::default()).state(), None);
    }
}
