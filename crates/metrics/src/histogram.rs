//! Counts of durations by how long they were.

use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    exemplar::{Exemplar, Traced},
    exposition::Exposition,
    family::Cell,
};

/// The upper bounds of a histogram's buckets, in nanoseconds, ascending; the last bucket has none.
pub(crate) type Bounds = &'static [u64];

/// In which unit durations are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Milliseconds,
    Seconds,
}

impl Unit {
    fn nanos(self) -> u64 {
        match self {
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
        }
    }

    /// A number of nanoseconds in this unit: `0.005`, `1`, `12.34`.
    pub(crate) fn show(self, nanos: u64) -> String {
        let unit = self.nanos();
        let (whole, rest) = (nanos / unit, nanos % unit);
        if rest == 0 {
            return whole.to_string();
        }
        let width = if self == Self::Milliseconds { 6 } else { 9 };
        format!("{whole}.{rest:0width$}").trim_end_matches('0').to_owned()
    }
}

/// A histogram of durations. Its count is the sum of its buckets, so that a reader never sees them disagree.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: Bounds,
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    /// The latest request of each bucket whose trace is known; none before there is such a one.
    exemplars: OnceLock<Exemplars>,
}

/// Whoever counts never waits for the lock, which only a reader may hold.
type Exemplars = Mutex<Box<[Option<Exemplar>]>>;

impl Histogram {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0), exemplars: OnceLock::new() }
    }

    /// Counts a duration, with the trace of the request that took so long, if it is recorded.
    pub(crate) fn observe(&self, duration: Duration, traced: Option<Traced>) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // The bounds are few and the small ones are the usual ones: looking from the start beats halving.
        let place = self.bounds.iter().position(|bound| nanos <= *bound).unwrap_or(self.bounds.len());
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(nanos, Relaxed);
        if let Some(traced) = traced {
            self.keep(place, Exemplar { traced, nanos });
        }
    }

    fn keep(&self, place: usize, exemplar: Exemplar) {
        let exemplars = self.exemplars.get_or_init(|| Mutex::new(vec![None; self.buckets.len()].into()));
        // If they are being read just now, another request will do.
        if let Ok(mut exemplars) = exemplars.try_lock()
            && let Some(kept) = exemplars.get_mut(place)
        {
            *kept = Some(exemplar);
        }
    }

    fn exemplars(&self) -> Box<[Option<Exemplar>]> {
        let kept = self.exemplars.get().map(|exemplars| exemplars.lock().unwrap_or_else(PoisonError::into_inner));
        kept.map(|exemplars| exemplars.clone()).unwrap_or_default()
    }

    /// Writes `<name>_bucket`, `<name>_count` and `<name>_sum` with these labels.
    pub(crate) fn write(&self, out: &mut Exposition, name: &str, labels: &str, unit: Unit) {
        let bounds = self.bounds.iter().map(|bound| unit.show(*bound)).chain(["+Inf".to_owned()]);
        let (mut count, exemplars) = (0_u64, self.exemplars());
        for (place, (bucket, bound)) in self.buckets.iter().zip(bounds).enumerate() {
            count = count.saturating_add(bucket.load(Relaxed));
            let exemplar = exemplars.get(place).copied().flatten().map(|exemplar| exemplar.show(unit));
            let labels = format!("{labels},le=\"{bound}\"");
            out.exemplified(&format!("{name}_bucket"), &labels, count, exemplar.as_deref());
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
        let kept = self.exemplars();
        for (place, exemplar) in other.exemplars().iter().enumerate() {
            let before = kept.get(place).copied().flatten();
            if let Some(exemplar) = exemplar.filter(|new| before.is_none_or(|before| before.traced.at <= new.traced.at))
            {
                self.keep(place, exemplar);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::format::Format;

    const BOUNDS: Bounds = &[1_000_000, 5_000_000];

    #[test]
    fn a_bucket_holds_what_is_not_longer_than_its_bound() {
        let histogram = Histogram::new(BOUNDS);
        for micros in [0, 1_000, 1_001, 5_000, 5_001, 9_000_000] {
            histogram.observe(Duration::from_micros(micros), None);
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
            assert_eq!(Unit::Milliseconds.show(micros * 1000), milliseconds);
            assert_eq!(Unit::Seconds.show(micros * 1000), seconds);
        }
        assert_eq!(Unit::Seconds.show(1), "0.000000001");
    }

    #[test]
    fn one_absorbs_the_other() {
        let (one, other) = (Histogram::new(BOUNDS), Histogram::new(BOUNDS));
        one.observe(Duration::from_millis(1), None);
        other.observe(Duration::from_millis(2), None);
        let sum = one.zero();
        sum.absorb(&one);
        sum.absorb(&other);
        assert_eq!(sum.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect::<Vec<_>>(), [1, 1, 0]);
        assert_eq!(sum.sum.load(Relaxed), 3_000_000);
    }

    #[test]
    fn the_latest_traced_request_of_a_bucket_stands_beside_it() {
        let at = |seconds: u64| UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 250);
        let (one, other) = (Histogram::new(BOUNDS), Histogram::new(BOUNDS));
        one.observe(Duration::from_millis(2), Some(Traced { id: 0xab, at: at(10) }));
        one.observe(Duration::from_millis(3), Some(Traced { id: 0xcd, at: at(20) }));
        one.observe(Duration::from_millis(4), None);
        other.observe(Duration::from_millis(5), Some(Traced { id: 0xef, at: at(15) }));
        other.observe(Duration::from_millis(6), Some(Traced { id: 1 << 127, at: at(5) }));
        let sum = one.zero();
        sum.absorb(&other);
        sum.absorb(&one);
        let mut out = Exposition::of(Format::OpenMetrics);
        sum.write(&mut out, "x", "a=\"b\"", Unit::Milliseconds);
        let expected = "x_bucket{a=\"b\",le=\"1\"} 0\n\
                        x_bucket{a=\"b\",le=\"5\"} 4 # {trace_id=\"000000000000000000000000000000cd\"} 3 20.250\n\
                        x_bucket{a=\"b\",le=\"+Inf\"} 5 # {trace_id=\"80000000000000000000000000000000\"} 6 5.250\n\
                        x_count{a=\"b\"} 5\nx_sum{a=\"b\"} 20\n# EOF\n";
        assert_eq!(out.into_text(), expected);
        let mut out = Exposition::default();
        sum.write(&mut out, "x", "a=\"b\"", Unit::Milliseconds);
        assert!(!out.into_text().contains('#'), "the text format has none");
    }
}
