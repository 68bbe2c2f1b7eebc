//! What further attempts are paid from.

use std::time::{Duration, Instant};

use towergate_core::{Count, RetryBudget};

/// Lets further attempts be a part of the requests of a sliding window, and so many a second on top: the
/// algorithm of Finagle's and tower's retry budgets.
///
/// Counting takes atomic operations only. Threads that ask at the very same moment may together take one
/// attempt too many for each of them but one.
///
/// ```
/// use std::time::{Duration, Instant};
/// use towergate_retry::Budget;
///
/// let (budget, now) = (Budget::new(20.0, Duration::from_secs(10)), Instant::now());
/// (0..10).for_each(|_| budget.deposit_at(now));
/// assert!(budget.withdraw_at(now) && budget.withdraw_at(now));
/// assert!(!budget.withdraw_at(now), "20 % of ten requests are two");
/// ```
#[derive(Debug)]
pub struct Budget {
    requests: Count,
    attempts: Count,
    percentage: f64,
    /// Attempts of a window that are paid for by no request.
    reserve: f64,
    window: Duration,
    tick: Duration,
    beginning: Instant,
}

impl Budget {
    /// At most so many per cent of the requests of a window.
    pub fn new(percentage: f64, window: Duration) -> Self {
        let tick = (window / Count::TICKS).max(Duration::from_nanos(1));
        let (requests, attempts) = (Count::default(), Count::default());
        Self { requests, attempts, percentage, reserve: 0.0, window, tick, beginning: Instant::now() }
    }

    /// And so many a second on top.
    #[must_use]
    pub fn and_per_second(mut self, attempts: f64) -> Self {
        self.reserve = attempts * self.window.as_secs_f64();
        self
    }

    /// Notes a request.
    pub fn deposit_at(&self, now: Instant) {
        self.requests.add(self.tick(now));
    }

    /// Takes one further attempt out; `false` if there is not enough left.
    pub fn withdraw_at(&self, now: Instant) -> bool {
        let is_paid = self.left_at(now) >= 1.0;
        if is_paid {
            self.attempts.add(self.tick(now));
        }
        is_paid
    }

    /// How many further attempts are paid for now.
    pub fn left_at(&self, now: Instant) -> f64 {
        let tick = self.tick(now);
        let earned = f64::from(self.requests.sum(tick)) * self.percentage / 100.0 + self.reserve;
        (earned - f64::from(self.attempts.sum(tick))).max(0.0)
    }

    /// The number of the current tick. They begin after a whole window, so that an empty count, whose
    /// ticks are numbered 0, is none of it.
    fn tick(&self, now: Instant) -> u32 {
        let elapsed = now.saturating_duration_since(self.beginning).as_nanos();
        let ticks = elapsed.checked_div(self.tick.as_nanos()).unwrap_or(0);
        (ticks as u32).wrapping_add(Count::TICKS)
    }
}

impl RetryBudget for Budget {
    fn deposit(&self) {
        self.deposit_at(Instant::now());
    }

    fn withdraw(&self) -> bool {
        self.withdraw_at(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reserve_is_there_from_the_beginning_and_comes_back() {
        let (budget, now) = (Budget::new(10.0, Duration::from_secs(10)).and_per_second(0.2), Instant::now());
        assert_eq!([(); 3].map(|()| budget.withdraw_at(now)), [true, true, false]);
        assert!(!budget.withdraw_at(now + Duration::from_secs(8)));
        assert!(budget.withdraw_at(now + Duration::from_secs(12)), "what was taken long ago is forgotten");
    }

    #[test]
    fn nothing_is_paid_for_by_nothing() {
        let budget = Budget::new(100.0, Duration::ZERO);
        assert!(!budget.withdraw_at(Instant::now()));
    }

    proptest! {
        /// Against a list of everything that happened, in whole ticks.
        #[test]
        fn it_pays_what_the_window_has_earned(
            percentage in 1u32..100, reserve in 0u32..3,
            events in prop::collection::vec((0u32..4, any::<bool>()), 0..200),
        ) {
            let (window, start) = (Duration::from_secs(10), Instant::now());
            let budget = Budget::new(percentage.into(), window).and_per_second(f64::from(reserve) / 10.0);
            // Half a tick beside the borders, where the beginning of the budget does not matter.
            let start = start + Duration::from_millis(500);
            let (mut second, mut requests, mut attempts) = (0u64, Vec::new(), Vec::new());
            for (later, is_request) in events {
                second += u64::from(later);
                let now = start + Duration::from_secs(second);
                let held = |all: &[u64]| all.iter().filter(|at| second - **at < 10).count() as f64;
                if is_request {
                    budget.deposit_at(now);
                    requests.push(second);
                } else {
                    let left = held(&requests) * f64::from(percentage) / 100.0 + f64::from(reserve) - held(&attempts);
                    prop_assert_eq!(budget.withdraw_at(now), left >= 1.0 - 1e-9, "{} left", left);
                    if left >= 1.0 - 1e-9 {
                        attempts.push(second);
                    }
                }
            }
        }
    }
}
