//! What was answered, and how soon.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Counts answers and errors, and keeps how long answers took.
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) errors: u64,
    /// In nanoseconds, with three digits that count.
    times: Option<Histogram<u64>>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { requests: 0, errors: 0, times: Histogram::new_with_max(60_000_000_000, 3).ok() }
    }
}

impl Tally {
    /// A request was answered after so long, with 200 or not.
    pub(super) fn answered(&mut self, after: Duration, is_ok: bool) {
        self.requests += 1;
        self.errors += u64::from(!is_ok);
        if let Some(times) = &mut self.times {
            times.saturating_record(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// A connection has ended before its time.
    pub(super) fn broke(&mut self) {
        self.errors += 1;
    }

    /// How long requests took at most, in seconds: half of them, 99 %, 99.9 %.
    pub(super) fn latency(&self) -> [f64; 3] {
        let at = |share| self.times.as_ref().map_or(0, |times| times.value_at_quantile(share));
        [0.5, 0.99, 0.999].map(|share| Duration::from_nanos(at(share)).as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_told_by_its_quantiles() {
        let mut tally = Tally::default();
        for millis in 1..=1000 {
            tally.answered(Duration::from_millis(millis), millis != 7);
        }
        tally.broke();
        assert_eq!((tally.requests, tally.errors), (1000, 2));
        for (found, expected) in tally.latency().into_iter().zip([0.5, 0.99, 0.999]) {
            assert!((found / expected - 1.0).abs() < 0.002, "{found} for {expected}");
        }
    }
}
