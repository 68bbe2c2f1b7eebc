//! What is told when Redis does not answer: a count, and now and then a line.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use metrics::{Counter, counter, describe_counter};

const ERRORS: &str = "towergate_ratelimit_store_errors_total";

/// At most one line in this time.
const PAUSE: Duration = Duration::from_secs(10);

/// Counts failures (`towergate_ratelimit_store_errors_total`) and logs them, but not each.
#[derive(Debug)]
pub(crate) struct Failures {
    store: String,
    began: Instant,
    /// When the next line may be written, in milliseconds since `began`.
    next_line: AtomicU64,
    untold: AtomicU64,
    failing: AtomicBool,
    counter: Counter,
}

impl Failures {
    /// Of the store at this place. It is counted from now on, so that the first failure is seen as one more
    /// than none.
    pub(crate) fn new(store: String) -> Self {
        describe_counter!(ERRORS, "Requests to the store of rate limits that it did not answer");
        Self {
            counter: counter!(ERRORS, "store" => store.clone()),
            store,
            began: Instant::now(),
            next_line: AtomicU64::new(0),
            untold: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        }
    }

    /// A request was not answered.
    pub(crate) fn failed(&self, error: &str) {
        self.counter.increment(1);
        self.failing.store(true, Ordering::Relaxed);
        let now = self.now();
        let due = self.next_line.load(Ordering::Relaxed);
        let next = now.saturating_add(PAUSE.as_millis() as u64);
        if now < due || self.next_line.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let more = self.untold.swap(0, Ordering::Relaxed);
        tracing::error!(
            "rate limits: Redis at {} does not answer: {error}; tried again all the time{}",
            self.store,
            Untold(more)
        );
    }

    /// A connection was made.
    pub(crate) fn connected(&self) {
        if self.failing.swap(false, Ordering::Relaxed) {
            let more = self.untold.swap(0, Ordering::Relaxed);
            self.next_line.store(0, Ordering::Relaxed);
            tracing::info!("rate limits: Redis at {} answers again{}", self.store, Untold(more));
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// How many failures no line has told of.
struct Untold(u64);

impl std::fmt::Display for Untold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, " ({more} more failures since the last line)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metrics::{Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

    use super::*;

    /// Keeps the one counter there is.
    #[derive(Default)]
    struct One(Arc<AtomicU64>);

    impl Recorder for One {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            let labels: Vec<_> = key.labels().map(|label| (label.key(), label.value())).collect();
            assert_eq!((key.name(), &*labels), (ERRORS, &[("store", "here")][..]));
            Counter::from_arc(self.0.clone())
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn every_failure_is_counted_and_one_is_told() {
        let recorder = One::default();
        let failures = metrics::with_local_recorder(&recorder, || Failures::new("here".to_owned()));
        (0..5).for_each(|_| failures.failed("gone"));
        assert_eq!(recorder.0.load(Ordering::Relaxed), 5);
        assert_eq!(failures.untold.load(Ordering::Relaxed), 4);
        failures.connected();
        assert_eq!(failures.untold.load(Ordering::Relaxed), 0);
    }
}
