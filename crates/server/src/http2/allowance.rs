//! How often a client may do something before it is too much.

use std::time::{Duration, Instant};

/// So many in so long a time, not counting what is given back.
///
/// The clock is only read when all is spent.
#[derive(Debug)]
pub(crate) struct Allowance {
    limit: u32,
    spent: u32,
    window: Duration,
    since: Instant,
}

impl Allowance {
    pub(crate) fn new(limit: u32, window: Duration, now: Instant) -> Self {
        Self { limit, spent: 0, window, since: now }
    }

    /// Spends one; answers whether there was one.
    pub(crate) fn spend(&mut self, now: impl FnOnce() -> Instant) -> bool {
        self.spent = self.spent.saturating_add(1);
        if self.spent <= self.limit {
            return true;
        }
        let now = now();
        if now.saturating_duration_since(self.since) < self.window {
            return false;
        }
        (self.spent, self.since) = (1, now);
        self.limit > 0
    }

    /// Gives back so many.
    pub(crate) fn give_back(&mut self, count: u32) {
        self.spent = self.spent.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_so_long_a_time() {
        let start = Instant::now();
        let mut allowance = Allowance::new(2, Duration::from_secs(1), start);
        let mut spend = |milliseconds| allowance.spend(|| start + Duration::from_millis(milliseconds));
        assert_eq!([spend(0), spend(0), spend(0), spend(999)], [true, true, false, false]);
        assert_eq!([spend(1000), spend(1000), spend(1999)], [true, true, false]);
    }

    #[test]
    fn what_is_given_back_was_not_spent() {
        let start = Instant::now();
        let mut allowance = Allowance::new(1, Duration::from_secs(1), start);
        for _ in 0..100 {
            assert!(allowance.spend(|| start));
            allowance.give_back(5);
        }
        assert!(allowance.spend(|| start));
        assert!(!allowance.spend(|| start));
    }
}
