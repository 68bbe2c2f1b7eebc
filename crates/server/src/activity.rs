//! What each connection of a worker is doing, and the one look per tick that ends those that
//! wait for too long.
//!
//! A connection says what it does by a few plain stores, without reading a clock or setting a
//! timer. The worker looks at all its connections now and then: whoever does the same as at an
//! earlier look has done so at least since then.
//!
//! An HTTP/1 connection has one request at a time, an HTTP/2 connection many: it serves while any is
//! in flight, and waits for its next one when the last is over.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::Waker,
    time::{Duration, Instant},
};

use tokio::task::AbortHandle;

use crate::config::Timeouts;

/// What a connection does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing of a next request has come yet.
    Waiting,
    /// A request's head has begun.
    Reading,
    /// At least one request is being answered.
    Serving,
}

/// What happened to a response's body while a request's task was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Nobody asked for any of it.
    Untouched,
    /// Somebody asked, and there was nothing yet.
    Awaited,
    /// Some of it was handed out.
    HandedOut,
}

/// What one connection does; written by its own worker only.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    // Bits 0..2 the phase, bit 2 whether the client takes nothing of what is to be sent, the rest
    // counts changes.
    state: AtomicU64,
    requests: AtomicU64,
    in_flight: AtomicU32,
    /// Requests that the client took back before they were answered, less those that were answered.
    taken_back: AtomicU32,
    flow: AtomicU8,
    multiplexed: AtomicBool,
    retiring: AtomicBool,
    waker: OnceLock<Waker>,
}

/// How long an idle client may take to leave.
const FAREWELL: Duration = Duration::from_secs(2);

const PHASE: u64 = 3;
const STALLED: u64 = 4;
const CHANGE: u64 = 8;

impl Activity {
    /// Bytes came from the client. On an HTTP/2 connection they may be anything: whether a head has
    /// begun is told by [`Activity::head`].
    pub(crate) fn received(&self) {
        if self.phase() == Phase::Waiting && !self.multiplexed.load(Relaxed) {
            self.enter(1);
        }
    }

    /// The connection is HTTP/2; nothing of a request has come yet.
    pub(crate) fn multiplex(&self) {
        self.multiplexed.store(true, Relaxed);
        self.enter(0);
    }

    /// Whether the connection is HTTP/2.
    pub(crate) fn is_multiplexed(&self) -> bool {
        self.multiplexed.load(Relaxed)
    }

    /// Whether a request's head has begun and is not complete, on an HTTP/2 connection.
    pub(crate) fn head(&self, begun: bool) {
        match (self.phase(), begun) {
            (Phase::Waiting, true) => self.enter(1),
            (Phase::Reading, false) => self.enter(0),
            _ => {}
        }
    }

    /// A request's head is complete; answers which request of the connection it is, from 1.
    pub(crate) fn begin(&self) -> u64 {
        self.hold();
        let number = self.requests.load(Relaxed).saturating_add(1);
        self.requests.store(number, Relaxed);
        number
    }

    /// Something keeps the connection busy until it [ends](Activity::end).
    pub(crate) fn hold(&self) {
        let in_flight = self.in_flight.load(Relaxed);
        self.in_flight.store(in_flight.saturating_add(1), Relaxed);
        if in_flight == 0 {
            self.enter(2);
        }
    }

    /// A request is over: its response's body has ended, or nobody wants it any more.
    pub(crate) fn end(&self) {
        let in_flight = self.in_flight.load(Relaxed).saturating_sub(1);
        self.in_flight.store(in_flight, Relaxed);
        if in_flight == 0 {
            self.enter(0);
        }
    }

    /// A request found its answer, or its client took it back before.
    pub(crate) fn answered(&self, is_answered: bool) {
        let balance = self.taken_back.load(Relaxed);
        let balance = if is_answered { balance.saturating_sub(1) } else { balance.saturating_add(1) };
        self.taken_back.store(balance, Relaxed);
    }

    /// How many more requests the client took back than it let be answered.
    pub(crate) fn taken_back(&self) -> u32 {
        self.taken_back.load(Relaxed)
    }

    /// How many requests the connection has brought.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// What happened last to a response's body of this connection.
    pub(crate) fn flow(&self, flow: Flow) {
        self.flow.store(flow as u8, Relaxed);
    }

    /// What was told last.
    pub(crate) fn last_flow(&self) -> Flow {
        match self.flow.load(Relaxed) {
            0 => Flow::Untouched,
            1 => Flow::Awaited,
            _ => Flow::HandedOut,
        }
    }

    /// Forgets what the client took back.
    pub(crate) fn forgive(&self) {
        self.taken_back.store(0, Relaxed);
    }

    fn enter(&self, phase: u64) {
        let rest = self.state.load(Relaxed) & !PHASE;
        self.state.store(rest.wrapping_add(CHANGE) | phase, Relaxed);
    }

    /// Something was to be sent; the client took some of it or it did not.
    pub(crate) fn sent(&self, stalled: bool) {
        let state = self.state.load(Relaxed);
        if (state & STALLED != 0) != stalled {
            self.state.store((state ^ STALLED).wrapping_add(CHANGE), Relaxed);
        }
    }

    /// Asks the connection to close as soon as no request is in the middle of something.
    pub(crate) fn retire(&self) {
        self.retiring.store(true, Relaxed);
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn is_retiring(&self) -> bool {
        self.retiring.load(Relaxed)
    }

    /// Who to wake when the connection is asked to close. A task's waker stays the same.
    pub(crate) fn waken_by(&self, waker: &Waker) {
        if self.waker.get().is_none() {
            let _ = self.waker.set(waker.clone());
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        phase(self.state.load(Relaxed))
    }

    /// How long the connection may do what this state says; `None` for as long as it likes.
    fn limit(&self, state: u64, timeouts: &Timeouts) -> Option<Duration> {
        match phase(state) {
            _ if state & STALLED != 0 => Some(timeouts.send),
            Phase::Waiting if self.requests.load(Relaxed) > 0 => Some(timeouts.keep_alive),
            Phase::Waiting | Phase::Reading => Some(timeouts.header),
            Phase::Serving => None,
        }
    }
}

fn phase(state: u64) -> Phase {
    match state & PHASE {
        0 => Phase::Waiting,
        1 => Phase::Reading,
        _ => Phase::Serving,
    }
}

/// The open connections of one worker.
#[derive(Debug, Default)]
pub(crate) struct Register {
    entries: Mutex<HashMap<u64, Entry>>,
}

#[derive(Debug)]
struct Entry {
    activity: Arc<Activity>,
    task: AbortHandle,
    seen: u64,
    since: Instant,
}

impl Register {
    fn entries(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, connection: u64, activity: Arc<Activity>, task: AbortHandle) {
        let seen = activity.state.load(Relaxed);
        self.entries().insert(connection, Entry { activity, task, seen, since: Instant::now() });
    }

    pub(crate) fn remove(&self, connection: u64) {
        self.entries().remove(&connection);
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.entries().len()
    }

    /// How many connections are waiting, reading, and serving.
    pub(crate) fn phases(&self) -> [u64; 3] {
        let mut counts = [0; 3];
        for entry in self.entries().values() {
            let [waiting, reading, serving] = &mut counts;
            match entry.activity.phase() {
                Phase::Waiting => *waiting += 1,
                Phase::Reading => *reading += 1,
                Phase::Serving => *serving += 1,
            }
        }
        counts
    }

    /// Asks all connections to close when they can.
    pub(crate) fn retire_all(&self) {
        self.entries().values().for_each(|entry| entry.activity.retire());
    }

    /// Ends the connections that have waited for too long: an idle one in peace, one in the middle
    /// of something at once. An HTTP/2 client that does not answer when it is asked to leave in
    /// peace is not waited for much longer.
    pub(crate) fn sweep(&self, now: Instant, timeouts: &Timeouts) {
        for entry in self.entries().values_mut() {
            let state = entry.activity.state.load(Relaxed);
            if state != entry.seen {
                (entry.seen, entry.since) = (state, now);
                continue;
            }
            let waited = now.saturating_duration_since(entry.since);
            let Some(limit) = entry.activity.limit(state, timeouts).filter(|limit| waited >= *limit) else { continue };
            let is_idle = phase(state) == Phase::Waiting && state & STALLED == 0;
            if is_idle && waited < limit.saturating_add(FAREWELL) {
                entry.activity.retire();
            } else {
                entry.task.abort();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: Timeouts = Timeouts {
        keep_alive: Duration::from_secs(75),
        header: Duration::from_secs(60),
        body: Duration::from_secs(60),
        send: Duration::from_secs(30),
    };

    /// A register with one connection, and a look at it after so many seconds.
    struct Watched(Register, Arc<Activity>, tokio::task::JoinHandle<()>, Instant);

    impl Watched {
        fn new() -> Self {
            let (register, activity) = (Register::default(), Arc::new(Activity::default()));
            let task = tokio::spawn(std::future::pending());
            register.add(1, activity.clone(), task.abort_handle());
            Self(register, activity, task, Instant::now())
        }

        async fn after(&self, seconds: u64) -> (bool, bool) {
            self.0.sweep(self.3 + Duration::from_secs(seconds), &TIMEOUTS);
            tokio::task::yield_now().await;
            (self.1.is_retiring(), self.2.is_finished())
        }
    }

    const GOES_ON: (bool, bool) = (false, false);
    const RETIRES: (bool, bool) = (true, false);
    const ABORTED: (bool, bool) = (false, true);

    #[tokio::test]
    async fn a_connection_without_a_first_request_ends_with_the_header_timeout() {
        let watched = Watched::new();
        assert_eq!(watched.after(59).await, GOES_ON);
        assert_eq!(watched.after(61).await, RETIRES);
    }

    #[tokio::test]
    async fn an_idle_connection_ends_with_the_keep_alive_timeout() {
        let watched = Watched::new();
        watched.1.received();
        assert_eq!(watched.1.begin(), 1);
        watched.1.end();
        assert_eq!(watched.after(10).await, GOES_ON, "first seen idle");
        assert_eq!(watched.after(84).await, GOES_ON);
        assert_eq!(watched.after(86).await, RETIRES);
    }

    #[tokio::test]
    async fn a_client_that_does_not_leave_when_asked_is_not_waited_for() {
        let watched = Watched::new();
        assert_eq!(watched.after(61).await, RETIRES);
        assert_eq!(watched.after(61).await, RETIRES);
        assert!(watched.after(63).await.1);
    }

    #[tokio::test]
    async fn a_connection_serves_while_any_of_its_requests_is_in_flight() {
        let watched = Watched::new();
        watched.1.multiplex();
        watched.1.received();
        assert_eq!(watched.0.phases(), [1, 0, 0], "bytes alone are no head");
        watched.1.head(true);
        assert_eq!(watched.0.phases(), [0, 1, 0]);
        assert_eq!((watched.1.begin(), watched.1.begin()), (1, 2));
        watched.1.head(true);
        watched.1.head(false);
        watched.1.end();
        assert_eq!(watched.0.phases(), [0, 0, 1]);
        watched.1.end();
        assert_eq!(watched.0.phases(), [1, 0, 0]);
        watched.1.head(true);
        watched.1.head(false);
        assert_eq!(watched.0.phases(), [1, 0, 0], "a head that was refused");
    }

    #[tokio::test]
    async fn an_idle_http2_connection_ends_in_peace_whatever_else_comes() {
        let watched = Watched::new();
        watched.1.multiplex();
        watched.1.begin();
        watched.1.end();
        assert_eq!(watched.after(10).await, GOES_ON, "first seen idle");
        watched.1.received();
        assert_eq!(watched.after(84).await, GOES_ON);
        watched.1.received();
        assert_eq!(watched.after(86).await, RETIRES);
    }

    #[test]
    fn what_was_taken_back_weighs_against_what_was_answered() {
        let activity = Activity::default();
        for is_answered in [true, false, false, true, false] {
            activity.answered(is_answered);
        }
        assert_eq!(activity.taken_back(), 2);
        activity.forgive();
        assert_eq!(activity.taken_back(), 0);
    }

    #[tokio::test]
    async fn a_slow_head_ends_with_the_header_timeout_however_it_drips() {
        let watched = Watched::new();
        watched.1.received();
        assert_eq!(watched.after(1).await, GOES_ON);
        watched.1.received();
        assert_eq!(watched.after(60).await, GOES_ON);
        watched.1.received();
        assert_eq!(watched.after(62).await, ABORTED);
    }

    #[tokio::test]
    async fn a_request_may_take_its_time_but_a_client_that_takes_nothing_may_not() {
        let watched = Watched::new();
        watched.1.begin();
        assert_eq!(watched.after(1).await, GOES_ON);
        assert_eq!(watched.after(10_000).await, GOES_ON);
        watched.1.sent(true);
        assert_eq!(watched.after(10_001).await, GOES_ON);
        watched.1.sent(false);
        watched.1.sent(true);
        assert_eq!(watched.after(10_040).await, GOES_ON, "it took something in between");
        assert_eq!(watched.after(10_071).await, ABORTED);
    }

    #[tokio::test]
    async fn counts_what_connections_do() {
        let watched = Watched::new();
        assert_eq!(watched.0.phases(), [1, 0, 0]);
        watched.1.received();
        assert_eq!(watched.0.phases(), [0, 1, 0]);
        watched.1.begin();
        watched.1.received();
        assert_eq!(watched.0.phases(), [0, 0, 1]);
        watched.1.end();
        assert_eq!(watched.0.phases(), [1, 0, 0]);
    }
}
