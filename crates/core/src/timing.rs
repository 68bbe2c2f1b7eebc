//! When things happened to a request.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant, SystemTime},
};

/// The instants of one request, each written once.
#[derive(Debug)]
pub struct Timing {
    started: Instant,
    started_at: SystemTime,
    routed: Mark,
    sent: Mark,
    answered: Mark,
}

impl Timing {
    /// A request whose head was read just now.
    pub fn start() -> Self {
        let now = Instant::now();
        Self::at(now, wall_clock(now))
    }

    /// A request whose head was read at these readings of the two clocks.
    pub fn at(started: Instant, started_at: SystemTime) -> Self {
        Self { started, started_at, routed: Mark::default(), sent: Mark::default(), answered: Mark::default() }
    }

    /// When its head had been read.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The same moment on the wall clock.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// Marks that the route is known; the first mark counts.
    pub fn mark_routed(&self, now: Instant) {
        self.routed.set(self.since_start(now));
    }

    /// When the route was known; `None` if no plugin of its plan [wants to know](crate::Plugin::RECORDS_SPANS).
    pub fn routed(&self) -> Option<Instant> {
        self.started.checked_add(self.routed.get()?)
    }

    /// Marks that the gateway's own part is over and the request goes upstream; the first mark counts.
    pub fn mark_sent(&self, now: Instant) {
        self.sent.set(self.since_start(now));
    }

    /// Marks that the head of the upstream's response has arrived; the first mark counts.
    pub fn mark_answered(&self, now: Instant) {
        self.answered.set(self.since_start(now));
    }

    /// From the start until the request went upstream (`X-Kong-Proxy-Latency`); `None` if it never did.
    pub fn proxy_latency(&self) -> Option<Duration> {
        self.sent.get()
    }

    /// From sending until the response's head (`X-Kong-Upstream-Latency`); `None` without a response.
    pub fn upstream_latency(&self) -> Option<Duration> {
        let (sent, answered) = (self.sent.get()?, self.answered.get()?);
        Some(answered.saturating_sub(sent))
    }

    fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }
}

/// A moment of a request, if it has come. Plain loads and stores: a request is at one place at a time.
#[derive(Debug, Default)]
struct Mark {
    /// Nanoseconds after the start, and one; 0 for none.
    after: AtomicU64,
}

impl Mark {
    fn set(&self, after: Duration) {
        if self.after.load(Relaxed) == 0 {
            let nanoseconds = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
            self.after.store(nanoseconds.saturating_add(1), Relaxed);
        }
    }

    fn get(&self) -> Option<Duration> {
        self.after.load(Relaxed).checked_sub(1).map(Duration::from_nanos)
    }
}

/// For how long two readings of both clocks together say what the one shows when the other does. When the wall clock is
/// set, requests see it that much later.
const KEPT: Duration = Duration::from_millis(50);

thread_local! {
    static BOTH: Cell<Option<(Instant, SystemTime)>> = const { Cell::new(None) };
}

/// What the wall clock shows now, without a look at it each time.
fn wall_clock(now: Instant) -> SystemTime {
    let kept = BOTH.get().and_then(|(then, wall)| Some((now.checked_duration_since(then)?, wall)));
    let told = kept.filter(|(passed, _)| *passed < KEPT).and_then(|(passed, wall)| wall.checked_add(passed));
    told.unwrap_or_else(|| {
        let wall = SystemTime::now();
        BOTH.set(Some((now, wall)));
        wall
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mark_counts() {
        let started = Instant::now();
        let timing = Timing::at(started, SystemTime::UNIX_EPOCH);
        assert_eq!((timing.proxy_latency(), timing.upstream_latency(), timing.routed()), (None, None, None));
        timing.mark_routed(started);
        for milliseconds in [2, 9] {
            timing.mark_sent(started + Duration::from_millis(milliseconds));
            timing.mark_answered(started + Duration::from_millis(milliseconds + 3));
        }
        assert_eq!(timing.routed(), Some(started));
        assert_eq!(timing.proxy_latency(), Some(Duration::from_millis(2)));
        assert_eq!(timing.upstream_latency(), Some(Duration::from_millis(3)));
    }

    #[test]
    fn both_clocks_go_on_together() {
        let first = Timing::start();
        while first.started().elapsed() < KEPT + Duration::from_millis(10) {
            let (before, timing, after) = (SystemTime::now(), Timing::start(), SystemTime::now());
            // The two are not read at the very same time: a thread may have to wait between them.
            let slack = Duration::from_millis(25);
            assert!(timing.started_at() + slack >= before && timing.started_at() <= after + slack);
            std::hint::spin_loop();
        }
    }
}
