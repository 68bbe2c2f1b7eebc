//! Which services are left alone because they kept failing, and until when.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// When a service is left alone, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ejection {
    pub(crate) failures: NonZeroU32,
    pub(crate) pause: Duration,
}

impl Default for Ejection {
    fn default() -> Self {
        const THREE: NonZeroU32 = NonZeroU32::new(3).unwrap();
        Self { failures: THREE, pause: Duration::from_secs(10) }
    }
}

/// What is known of each service. Atomics alone: a failure counted beside a success is counted or
/// forgotten, and either is right.
#[derive(Debug)]
pub(crate) struct Ejections {
    rule: Ejection,
    began: Instant,
    services: Box<[Record]>,
    /// The least `until` of all, so that most requests look at nothing else; `NEVER` with none.
    next: AtomicU64,
}

#[derive(Debug)]
struct Record {
    failures: AtomicU32,
    /// When it is asked again, in microseconds since `began`; `NEVER` if it is in rotation.
    until: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Ejections {
    pub(crate) fn new(services: usize, rule: Ejection) -> Self {
        let record = || Record { failures: AtomicU32::new(0), until: AtomicU64::new(NEVER) };
        let services = std::iter::repeat_with(record).take(services).collect();
        Self { rule, began: Instant::now(), services, next: AtomicU64::new(NEVER) }
    }

    /// Counts how a service answered; answers whether it is to be left alone from now on.
    pub(crate) fn record(&self, place: usize, failed: bool, now: Instant) -> bool {
        let Some(record) = self.services.get(place) else { return false };
        if !failed {
            record.failures.store(0, Relaxed);
            return false;
        }
        if record.failures.fetch_add(1, Relaxed).saturating_add(1) < self.rule.failures.get() {
            return false;
        }
        record.failures.store(0, Relaxed);
        let until = self.micros(now).saturating_add(micros(self.rule.pause));
        record.until.store(until, Relaxed);
        self.next.fetch_min(until, Relaxed);
        true
    }

    /// Names the services whose time is over.
    pub(crate) fn readmit(&self, now: Instant, back: impl FnMut(usize)) {
        let now = self.micros(now);
        if self.next.load(Relaxed) <= now {
            self.end(now, back);
        }
    }

    /// Names all services that are left alone, whatever their time.
    pub(crate) fn end_all(&self, back: impl FnMut(usize)) {
        self.end(NEVER.saturating_sub(1), back);
    }

    fn end(&self, now: u64, mut back: impl FnMut(usize)) {
        self.next.store(NEVER, Relaxed);
        for (place, record) in self.services.iter().enumerate() {
            let until = record.until.load(Relaxed);
            if until <= now && record.until.compare_exchange(until, NEVER, Relaxed, Relaxed).is_ok() {
                back(place);
            }
        }
        let left = self.services.iter().map(|record| record.until.load(Relaxed)).min();
        self.next.fetch_min(left.unwrap_or(NEVER), Relaxed);
    }

    fn micros(&self, now: Instant) -> u64 {
        micros(now.saturating_duration_since(self.began))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(NEVER.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(ejections: &Ejections, now: Instant) -> Vec<usize> {
        let mut back = Vec::new();
        ejections.readmit(now, |place| back.push(place));
        back
    }

    #[test]
    fn failures_in_a_row_eject_for_a_while() {
        let rule = Ejection { failures: NonZeroU32::new(2).unwrap(), pause: Duration::from_secs(10) };
        let ejections = Ejections::new(3, rule);
        let at = |seconds| ejections.began + Duration::from_secs(seconds);
        assert!(!ejections.record(0, true, at(0)), "the first");
        assert!(!ejections.record(0, false, at(0)), "a success between counts anew");
        assert!(!ejections.record(0, true, at(1)));
        assert!(ejections.record(0, true, at(1)), "the second in a row");
        assert!(!ejections.record(2, true, at(3)) && ejections.record(2, true, at(3)));
        assert!(!ejections.record(9, true, at(3)), "there is no such service");
        assert_eq!(back(&ejections, at(10)), []);
        assert_eq!(back(&ejections, at(11)), [0]);
        assert_eq!(back(&ejections, at(11)), [], "once");
        assert_eq!(back(&ejections, at(20)), [2]);
    }

    #[test]
    fn all_may_come_back_at_once() {
        let ejections = Ejections::new(2, Ejection { failures: NonZeroU32::MIN, pause: Duration::MAX });
        let now = Instant::now();
        assert!(ejections.record(0, true, now) && ejections.record(1, true, now));
        assert_eq!(back(&ejections, now + Duration::from_secs(1 << 30)), [], "never by itself");
        let mut all = Vec::new();
        ejections.end_all(|place| all.push(place));
        assert_eq!(all, [0, 1]);
    }
}
