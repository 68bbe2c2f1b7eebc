//! When and how the attempts of a request are repeated.

use std::{fmt, sync::Arc, time::Duration};

use http::{Method, StatusCode};

/// When and how the attempts of a request are repeated, where that is not left to Kong's rule.
///
/// A plugin makes one with its policy and puts it into the request's [`Context`](crate::Context)
/// ([`Context::set_retries`](crate::Context::set_retries)) before the request is proxied; the proxying
/// service keeps to it. A request without one costs nothing of this. The default changes nothing.
#[derive(Debug, Clone, Default)]
pub struct RetryRules {
    /// How often at most, in place of the service's `retries`.
    pub retries: Option<u32>,
    /// Answers with these statuses count as failed attempts.
    pub statuses: Vec<StatusCode>,
    /// The methods whose requests may be sent again once the upstream may have seen them; `None` are
    /// all but `POST`, `LOCK` and `PATCH`.
    pub methods: Option<Vec<Method>>,
    /// The pause before another attempt; `None` makes none.
    pub backoff: Option<Backoff>,
    /// The longest wait for the head of one attempt's answer.
    pub try_timeout: Option<Duration>,
    /// The longest wait for the head of an answer, all attempts and pauses together.
    pub deadline: Option<Duration>,
    /// What further attempts are paid from, together with other requests.
    pub budget: Option<Arc<dyn RetryBudget>>,
    /// If no answer has begun after so long, another target is tried beside, and the answer that begins
    /// first counts. Only of requests that may be sent again.
    pub hedge_after: Option<Duration>,
}

impl RetryRules {
    /// Whether a request of this method may be sent again after the upstream may have seen it.
    pub fn may_repeat(&self, method: &Method) -> bool {
        match &self.methods {
            Some(methods) => methods.contains(method),
            None => !matches!(method.as_str(), "POST" | "LOCK" | "PATCH"),
        }
    }

    /// Whether an answer with this status counts as a failed attempt.
    pub fn is_failure(&self, status: StatusCode) -> bool {
        self.statuses.contains(&status)
    }
}

/// A pause that doubles from one attempt to the next, of which a random part is waited for, so that
/// clients which failed together do not come back together ("full jitter").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest pause before the first repetition.
    pub base: Duration,
    /// The longest pause at all.
    pub limit: Duration,
}

impl Backoff {
    /// The pause after so many failed attempts (from 1), for a fraction drawn by chance (of 2^32).
    ///
    /// ```
    /// use std::time::Duration;
    /// use towergate_core::Backoff;
    ///
    /// let backoff = Backoff { base: Duration::from_millis(100), limit: Duration::from_secs(1) };
    /// let half = 1 << 31;
    /// assert_eq!(backoff.pause(1, half), Duration::from_millis(50));
    /// assert_eq!(backoff.pause(3, half), Duration::from_millis(200));
    /// assert_eq!(backoff.pause(100, half), Duration::from_millis(500));
    /// ```
    pub fn pause(&self, failed: u32, fraction: u32) -> Duration {
        let doubled = 2u32.checked_pow(failed.saturating_sub(1)).unwrap_or(u32::MAX);
        let longest = self.base.saturating_mul(doubled).min(self.limit);
        let part = longest.as_secs_f64() * f64::from(fraction) / 2f64.powi(32);
        Duration::try_from_secs_f64(part).unwrap_or(longest)
    }
}

/// What further attempts are paid from, so that they stay a small part of all requests: an upstream
/// that is failing is not given several times its load.
pub trait RetryBudget: fmt::Debug + Send + Sync {
    /// A request begins, which adds to the budget.
    fn deposit(&self);

    /// Takes one further attempt out; `false` if there is not enough left.
    fn withdraw(&self) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kongs_methods_unless_others_are_named() {
        let (default, only) = (RetryRules::default(), Some(vec![Method::GET, Method::POST]));
        let named = RetryRules { methods: only, ..RetryRules::default() };
        for (method, by_default, by_name) in
            [("GET", true, true), ("PUT", true, false), ("POST", false, true), ("PATCH", false, false)]
        {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!((default.may_repeat(&method), named.may_repeat(&method)), (by_default, by_name), "{method}");
        }
        assert!(!default.is_failure(StatusCode::SERVICE_UNAVAILABLE));
    }

    #[test]
    fn a_pause_is_within_its_limits_whatever_is_drawn() {
        let backoff = Backoff { base: Duration::from_millis(30), limit: Duration::from_millis(100) };
        for (failed, longest) in [(0, 30), (1, 30), (2, 60), (3, 100), (40, 100), (u32::MAX, 100)] {
            assert!(backoff.pause(failed, u32::MAX) <= Duration::from_millis(longest));
            assert_eq!(backoff.pause(failed, 0), Duration::ZERO);
        }
        let endless = Backoff { base: Duration::MAX, limit: Duration::MAX };
        assert!(endless.pause(9, 1) > Duration::ZERO);
    }
}
