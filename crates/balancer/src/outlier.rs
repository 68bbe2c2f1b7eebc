//! Targets that fail more often than they should.

use std::time::{Duration, Instant};

use towergate_core::{Count, OutlierEjection};

use crate::rules::Outcome;

/// How many requests an address had lately, and how many of them failed.
#[derive(Debug)]
pub(crate) struct Tally {
    requests: Count,
    errors: Count,
    beginning: Instant,
}

impl Tally {
    pub(crate) fn new(now: Instant) -> Self {
        Self { requests: Count::default(), errors: Count::default(), beginning: now }
    }

    /// Counts how an attempt went; answers whether by that the address is an outlier.
    pub(crate) fn note(&self, outcome: Outcome, rules: &OutlierEjection, now: Instant) -> bool {
        let tick = self.tick(rules.window, now);
        self.requests.add(tick);
        if !is_error(outcome) {
            return false;
        }
        self.errors.add(tick);
        let (requests, errors) = (self.requests.sum(tick), self.errors.sum(tick));
        requests >= rules.min_requests && f64::from(errors) * 100.0 >= rules.error_percentage * f64::from(requests)
    }

    /// Begins anew.
    pub(crate) fn clear(&self) {
        self.requests.clear();
        self.errors.clear();
    }

    /// The number of the current tick. They begin after a whole window, so that an empty count, whose
    /// ticks are numbered 0, is none of it.
    fn tick(&self, window: Duration, now: Instant) -> u32 {
        let tick = (window / Count::TICKS).as_nanos().max(1);
        let elapsed = now.saturating_duration_since(self.beginning).as_nanos();
        (elapsed.checked_div(tick).unwrap_or(0) as u32).wrapping_add(Count::TICKS)
    }
}

fn is_error(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Status(status) => status >= 500,
        Outcome::NotHttp | Outcome::Broken | Outcome::TimedOut => true,
        Outcome::Connected => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: OutlierEjection = OutlierEjection {
        error_percentage: 50.0,
        min_requests: 4,
        window: Duration::from_secs(10),
        ejection_time: Duration::from_secs(30),
        max_ejected_percentage: 50.0,
    };

    #[test]
    fn what_is_an_error() {
        for (outcome, expected) in [
            (Outcome::Status(200), false),
            (Outcome::Status(499), false),
            (Outcome::Status(500), true),
            (Outcome::Status(504), true),
            (Outcome::NotHttp, true),
            (Outcome::Broken, true),
            (Outcome::TimedOut, true),
            (Outcome::Connected, false),
        ] {
            assert_eq!(is_error(outcome), expected, "{outcome:?}");
        }
    }

    #[test]
    fn enough_of_enough_makes_an_outlier() {
        let (tally, now) = (Tally::new(Instant::now()), Instant::now());
        let (good, bad) = (Outcome::Status(200), Outcome::Broken);
        let noted = [bad, bad, bad, bad].map(|outcome| tally.note(outcome, &RULES, now));
        assert_eq!(noted, [false, false, false, true], "not before there are four");
        tally.clear();
        let noted = [good, good, good, bad, bad, good, bad].map(|outcome| tally.note(outcome, &RULES, now));
        assert_eq!(noted, [false, false, false, false, false, false, false], "three of seven");
        assert!(tally.note(bad, &RULES, now), "four of eight");
    }

    proptest! {
        /// Against a list of all that happened, in whole ticks.
        #[test]
        fn it_is_an_outlier_by_what_the_window_holds(
            percentage in 1u32..=100, min_requests in 1u32..8,
            events in prop::collection::vec((0u32..4, any::<bool>()), 0..100),
        ) {
            let start = Instant::now();
            let tally = Tally::new(start);
            let rules = OutlierEjection { error_percentage: percentage.into(), min_requests, ..RULES };
            let (mut second, mut seen) = (0u64, Vec::new());
            for (later, is_error) in events {
                second += u64::from(later);
                seen.push((second, is_error));
                let outcome = if is_error { Outcome::Broken } else { Outcome::Status(200) };
                let found = tally.note(outcome, &rules, start + Duration::from_millis(second * 1000 + 500));
                let held: Vec<_> = seen.iter().filter(|(at, _)| second - at < 10).collect();
                let errors = held.iter().filter(|(_, is_error)| *is_error).count() as u64;
                let expected = held.len() as u32 >= min_requests
                    && errors * 100 >= u64::from(percentage) * held.len() as u64;
                prop_assert_eq!(found, is_error && expected);
            }
        }
    }
}
