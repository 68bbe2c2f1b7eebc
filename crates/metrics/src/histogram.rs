//! Counts of durations by how long they were.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::{exposition::Exposition, family::Cell};

/// The upper bounds of a histogram's buckets, in microseconds, ascending; the last bucket has none.
pub(crate) type Bounds = &'static [u64];

/// In which unit durations are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Milliseconds,
    Seconds,
}

impl Unit {
    fn micros(self) -> u64 {
        match self {
            Self::Milliseconds => 1_000,
            Self::Seconds => 1_000_000,
        }
    }

    /// A number of microseconds in this unit: `0.005`, `1`, `12.34`.
    fn show(self, micros: u64) -> String {
        let unit = self.micros();
        let (whole, rest) = (micros / unit, micros % unit);
        if rest == 0 {
            return whole.to_string();
        }
        let width = if self == Self::Milliseconds { 3 } else { 6 };
        format!("{whole}.{rest:0width$}").trim_end_matches('0').to_owned()
    }
}

/// A histogram of durations. Its count is the sum of its buckets, so that a reader never sees them disagree.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: Bounds,
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0) }
    }

    pub(crate) fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        // The bounds are few and the small ones are the usual ones: looking from the start beats halving.
        let place = self.bounds.iter().position(|bound| micros <= *bound).unwrap_or(self.bounds.len());
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(micros, Relaxed);
    }

    /// Writes `<name>_bucket`, `<name>_count` and `<name>_sum` with these labels.
    pub(crate) fn write(&self, out: &mut Exposition, name: &str, labels: &str, unit: Unit) {
        let bounds = self.bounds.iter().map(|bound| unit.show(*bound)).chain(["+Inf".to_owned()]);
        let mut count = 0_u64;
        for (bucket, bound) in self.buckets.iter().zip(bounds) {
            count = count.saturating_add(bucket.load(Relaxed));
            out.line(&format!("{name}_bucket"), &format!("{labels},le=\"{bound}\""), count);
        }
        out.line(&format!("{name}_count"), labels, count);
        out.line(&format!("{name}_sum"), labels, unit.show(self.sum.load(Relaxed)));
    }
}

impl Cell for Histogram {
    fn zero(&self) -> Self {
        Self::new(self.bounds)
    }

    fn absorb(&self, other: &Self) {
        for (bucket, more) in self.buckets.iter().zip(&other.buckets) {
            bucket.fetch_add(more.load(Relaxed), Relaxed);
        }
        self.sum.fetch_add(other.sum.load(Relaxed), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = &[1_000, 5_000];

    #[test]
    fn a_bucket_holds_what_is_not_longer_than_its_bound() {
        let histogram = Histogram::new(BOUNDS);
        for micros in [0, 1_000, 1_001, 5_000, 5_001, 9_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let mut out = Exposition::default();
        histogram.write(&mut out, "x", "a=\"b\"", Unit::Milliseconds);
        let expected = "x_bucket{a=\"b\",le=\"1\"} 2\nx_bucket{a=\"b\",le=\"5\"} 4\nx_bucket{a=\"b\",le=\"+Inf\"} 6\n\
                        x_count{a=\"b\"} 6\nx_sum{a=\"b\"} 9012.002\n";
        assert_eq!(out.into_text(), expected);
    }

    #[test]
    fn durations_are_shown_without_needless_zeroes() {
        for (micros, milliseconds, seconds) in
            [(0, "0", "0"), (5_000, "5", "0.005"), (12_340, "12.34", "0.01234"), (60_000_000, "60000", "60")]
        {
            assert_eq!(Unit::Milliseconds.show(micros), milliseconds);
            assert_eq!(Unit::Seconds.show(micros), seconds);
        }
    }

    #[test]
    fn one_absorbs_the_other() {
        let (one, other) = (Histogram::new(BOUNDS), Histogram::new(BOUNDS));
        one.observe(Duration::from_millis(1));
        other.observe(Duration::from_millis(2));
        let sum = one.zero();
        sum.absorb(&one);
        sum.absorb(&other);
        assert_eq!(sum.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect::<Vec<_>>(), [1, 1, 0]);
        assert_eq!(sum.sum.load(Relaxed), 3_000);
    }
}
