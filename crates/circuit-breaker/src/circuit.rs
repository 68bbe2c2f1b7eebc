//! The state machine: one circuit, the time an argument.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use towergate_core::Count;

use crate::{
    rules::{Reason, Rules},
    word::Word,
};

/// Whether calls go through a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// They do.
    Closed,
    /// They do not.
    Open,
    /// A few do, to find out whether they succeed again.
    HalfOpen,
}

impl State {
    /// As the header `X-Circuit-State` names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::Open => "OPEN",
            Self::HalfOpen => "HALF_OPEN",
        }
    }
}

/// What a call says about what was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is well.
    Success,
    /// It is not.
    Failure,
    /// Nothing: the call was given up, or failed for another reason.
    Nothing,
}

/// Leave for one call. It must be [reported](Circuit::report), whatever becomes of the call: the
/// place of a trial call is taken until then.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a trial call's place is taken until the ticket is reported"]
pub struct Ticket {
    generation: u32,
    is_trial: bool,
}

impl Ticket {
    /// Whether it is for a trial call: the circuit was half open.
    pub fn is_trial(&self) -> bool {
        self.is_trial
    }
}

/// A call is not to be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Open, or half open with all trial calls under way.
    pub state: State,
    /// How long the circuit stays open; zero if it is half open.
    pub retry_after: Duration,
}

/// A circuit changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Its state now.
    pub to: State,
    /// Why.
    pub reason: Reason,
}

/// What can be told of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Its state. One that is open becomes half open by the first call after its time is over.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// Why it came into this state; `None` if it has been in it from the beginning.
    pub reason: Option<Reason>,
    /// The calls in the window that succeeded or failed while it was closed.
    pub requests: u32,
    /// Those that failed.
    pub failures: u32,
    /// The failures since the last success.
    pub row: u32,
    /// Half open: trial calls under way.
    pub trials: u32,
    /// Half open: trial calls that succeeded.
    pub successes: u32,
    /// Open: how long it stays so.
    pub retry_after: Duration,
}

/// One circuit breaker, shared by threads.
///
/// It owns no clock, task or timer: whoever calls says what time it is. Letting a call pass and
/// noting its success are a few atomic operations; only a failure, a trial call and a change of
/// state take a lock, for a moment. Its life is described in [`lifecycle`](crate::lifecycle).
///
/// ```
/// use std::time::{Duration, Instant};
/// use towergate_circuit_breaker::{Circuit, Rules, State, Verdict};
///
/// let start = Instant::now();
/// let rules = Rules { failure_threshold: 2.try_into().ok(), reset_timeout: Duration::from_secs(30), ..Rules::default() };
/// let circuit = Circuit::new(rules, start);
/// for _ in 0..2 {
///     let (ticket, _) = circuit.admit(start).expect("closed");
///     circuit.report(ticket, Verdict::Failure, start);
/// }
/// assert_eq!(circuit.admit(start).unwrap_err().retry_after, Duration::from_secs(30));
///
/// let later = start + Duration::from_secs(30);
/// let (ticket, _) = circuit.admit(later).expect("a trial call");
/// assert!(circuit.admit(later).is_err(), "one at a time");
/// circuit.report(ticket, Verdict::Success, later);
/// assert_eq!(circuit.snapshot(later).state, State::Closed);
/// ```
#[derive(Debug)]
pub struct Circuit {
    rules: Rules,
    born: Instant,
    /// How long a tick of the window lasts, in nanoseconds.
    tick: u64,
    /// State, generation and free places; written under the lock, read by every call.
    word: AtomicU64,
    /// Until when it is open, in nanoseconds since it was born.
    until: AtomicU64,
    /// Failures since the last success.
    row: AtomicU32,
    requests: Count,
    failures: Count,
    inner: Mutex<Inner>,
}

/// What only failures, trial calls and changes of state need.
#[derive(Debug)]
struct Inner {
    since: Instant,
    reason: Option<Reason>,
    last_failure: Option<Instant>,
    trials: u32,
    successes: u32,
}

impl Circuit {
    /// A closed circuit without calls so far.
    pub fn new(rules: Rules, now: Instant) -> Self {
        let tick = u64::try_from(rules.window.as_nanos() / u128::from(Count::TICKS)).unwrap_or(u64::MAX).max(1);
        Self {
            rules,
            born: now,
            tick,
            word: AtomicU64::new(Word::closed(0).pack()),
            until: AtomicU64::new(0),
            row: AtomicU32::new(0),
            requests: Count::default(),
            failures: Count::default(),
            inner: Mutex::new(Inner { since: now, reason: None, last_failure: None, trials: 0, successes: 0 }),
        }
    }

    /// Leave for a call through a closed circuit, for which the time does not matter.
    pub(crate) fn pass(&self) -> Option<Ticket> {
        let word = self.word();
        (word.state == State::Closed).then(|| word.ticket(false))
    }

    /// Asks leave for a call. An open circuit whose time is over becomes half open by it.
    ///
    /// # Errors
    /// The call is not to be made.
    pub fn admit(&self, now: Instant) -> Result<(Ticket, Option<Change>), Refused> {
        let word = self.word();
        match word.state {
            State::Closed => Ok((word.ticket(false), None)),
            State::Open => match self.left(now) {
                Duration::ZERO => self.admit_trial(now),
                retry_after => Err(Refused { state: State::Open, retry_after }),
            },
            State::HalfOpen if word.free == 0 => Err(Refused { state: State::HalfOpen, retry_after: Duration::ZERO }),
            State::HalfOpen => self.admit_trial(now),
        }
    }

    /// Notes what a call said. It counts in the state it was admitted in: a call that began before
    /// the last change says nothing about what has been since.
    pub fn report(&self, ticket: Ticket, verdict: Verdict, now: Instant) -> Option<Change> {
        let word = self.word();
        match verdict {
            _ if word.generation != ticket.generation => None,
            _ if ticket.is_trial => self.report_trial(&ticket, verdict, now),
            Verdict::Nothing => None,
            Verdict::Failure => self.report_failure(&ticket, now),
            Verdict::Success => {
                self.requests.add(self.tick(now));
                // Mostly there is nothing to forget, and nothing is written.
                if self.row.load(Ordering::Relaxed) > 0 {
                    self.row.store(0, Ordering::Relaxed);
                }
                None
            }
        }
    }

    /// How it is.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let inner = self.lock();
        let (word, tick) = (self.word(), self.tick(now));
        Snapshot {
            state: word.state,
            since: inner.since,
            reason: inner.reason,
            requests: self.requests.sum(tick),
            failures: self.failures.sum(tick),
            row: self.row.load(Ordering::Relaxed),
            trials: inner.trials,
            successes: inner.successes,
            retry_after: if word.state == State::Open { self.left(now) } else { Duration::ZERO },
        }
    }

    /// The state alone.
    pub fn state(&self) -> State {
        self.word().state
    }

    /// Whether a new circuit would do as well: closed, and nothing in its window.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        let Snapshot { state, requests, .. } = self.snapshot(now);
        state == State::Closed && requests == 0
    }

    fn admit_trial(&self, now: Instant) -> Result<(Ticket, Option<Change>), Refused> {
        let mut inner = self.lock();
        let word = self.word();
        match (word.state, self.left(now)) {
            // Another thread was faster.
            (State::Closed, _) => Ok((word.ticket(false), None)),
            (State::Open, Duration::ZERO) => {
                let change = self.turn(&mut inner, State::HalfOpen, Reason::Waited, now);
                inner.trials = 1;
                Ok((self.publish(&inner).ticket(true), Some(change)))
            }
            (State::HalfOpen, _) if word.free > 0 => {
                inner.trials = inner.trials.saturating_add(1);
                Ok((self.publish(&inner).ticket(true), None))
            }
            (State::Open, retry_after) => Err(Refused { state: State::Open, retry_after }),
            (State::HalfOpen, _) => Err(Refused { state: State::HalfOpen, retry_after: Duration::ZERO }),
        }
    }

    fn report_failure(&self, ticket: &Ticket, now: Instant) -> Option<Change> {
        let mut inner = self.lock();
        if self.word().generation != ticket.generation {
            return None;
        }
        let tick = self.tick(now);
        self.requests.add(tick);
        self.failures.add(tick);
        let is_apart = |last: Instant| now.saturating_duration_since(last) > self.rules.window;
        if inner.last_failure.is_none_or(is_apart) {
            self.row.store(0, Ordering::Relaxed);
        }
        inner.last_failure = Some(now);
        let row = self.row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let reason = self.rules.trip(row, self.failures.sum(tick), self.requests.sum(tick))?;
        Some(self.open(&mut inner, reason, now))
    }

    fn report_trial(&self, ticket: &Ticket, verdict: Verdict, now: Instant) -> Option<Change> {
        let mut inner = self.lock();
        if self.word().generation != ticket.generation {
            return None;
        }
        inner.trials = inner.trials.saturating_sub(1);
        match verdict {
            Verdict::Failure => return Some(self.open(&mut inner, Reason::TrialFailed, now)),
            Verdict::Success => inner.successes = inner.successes.saturating_add(1),
            Verdict::Nothing => {}
        }
        if inner.successes >= self.rules.success_threshold.get() {
            return Some(self.close(&mut inner, now));
        }
        self.publish(&inner);
        None
    }

    fn open(&self, inner: &mut Inner, reason: Reason, now: Instant) -> Change {
        let until = now.checked_add(self.rules.reset_timeout).map_or(u64::MAX, |until| self.nanoseconds(until));
        // Before the word, so that nobody meets an open circuit with the time of another.
        self.until.store(until, Ordering::Relaxed);
        self.turn(inner, State::Open, reason, now)
    }

    fn close(&self, inner: &mut Inner, now: Instant) -> Change {
        self.requests.clear();
        self.failures.clear();
        self.row.store(0, Ordering::Relaxed);
        inner.last_failure = None;
        let reason = Reason::Recovered(inner.successes);
        self.turn(inner, State::Closed, reason, now)
    }

    /// Changes the state: tickets of the one before count no more.
    fn turn(&self, inner: &mut Inner, to: State, reason: Reason, now: Instant) -> Change {
        let generation = self.word().generation.wrapping_add(1);
        *inner = Inner { since: now, reason: Some(reason), trials: 0, successes: 0, ..*inner };
        self.word.store(Word { generation, state: to, free: self.free(inner) }.pack(), Ordering::Release);
        Change { to, reason }
    }

    /// Shows all threads how many places are free.
    fn publish(&self, inner: &Inner) -> Word {
        let word = Word { free: self.free(inner), ..self.word() };
        self.word.store(word.pack(), Ordering::Release);
        word
    }

    fn free(&self, inner: &Inner) -> u32 {
        self.rules.half_open_max_requests.get().saturating_sub(inner.trials)
    }

    fn word(&self) -> Word {
        Word::unpack(self.word.load(Ordering::Acquire))
    }

    /// How long it stays open.
    fn left(&self, now: Instant) -> Duration {
        Duration::from_nanos(self.until.load(Ordering::Relaxed).saturating_sub(self.nanoseconds(now)))
    }

    /// The number of the tick that it is now. The first has a window's worth before it.
    fn tick(&self, now: Instant) -> u32 {
        ((self.nanoseconds(now) / self.tick) as u32).wrapping_add(Count::TICKS)
    }

    fn nanoseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_nanos()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Word {
    fn ticket(self, is_trial: bool) -> Ticket {
        Ticket { generation: self.generation, is_trial }
    }
}

/// Its life is tested in `tests/circuit.rs` and `tests/model.rs`; here is what happens to threads
/// that looked at the word before another thread changed it.
#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    /// Open for ten seconds, which are over at the time that comes with it.
    fn due(half_open_max_requests: u32) -> (Circuit, Instant) {
        let rules = Rules {
            failure_threshold: Some(NonZeroU32::MIN),
            reset_timeout: Duration::from_secs(10),
            half_open_max_requests: NonZeroU32::new(half_open_max_requests).unwrap(),
            ..Rules::default()
        };
        let start = Instant::now();
        let circuit = Circuit::new(rules, start);
        let (ticket, _) = circuit.admit(start).unwrap();
        circuit.report(ticket, Verdict::Failure, start).unwrap();
        (circuit, start + Duration::from_secs(10))
    }

    #[test]
    fn whoever_comes_too_late_for_a_place_is_refused() {
        let (circuit, now) = due(2);
        let first = circuit.admit_trial(now).unwrap();
        let second = circuit.admit_trial(now).unwrap();
        assert_eq!((first.1.is_some(), second.1), (true, None), "one changes the state");
        assert_eq!(circuit.admit_trial(now).unwrap_err().state, State::HalfOpen);
        circuit.report(first.0, Verdict::Success, now);
        assert!(!circuit.admit_trial(now).unwrap().0.is_trial(), "closed in the meantime");
        circuit.report(second.0, Verdict::Failure, now);
        assert_eq!(circuit.state(), State::Closed);
    }

    #[test]
    fn whoever_comes_too_late_with_a_report_changes_nothing() {
        let (circuit, now) = due(2);
        let (first, _) = circuit.admit_trial(now).unwrap();
        let (second, _) = circuit.admit_trial(now).unwrap();
        circuit.report(first, Verdict::Failure, now).unwrap();
        for verdict in [Verdict::Success, Verdict::Failure, Verdict::Nothing] {
            assert_eq!(circuit.report_trial(&second, verdict, now), None);
            assert_eq!(circuit.report_failure(&second, now), None);
        }
        let snapshot = circuit.snapshot(now);
        assert_eq!((snapshot.state, snapshot.failures, snapshot.trials), (State::Open, 1, 0));
        assert_eq!(circuit.admit_trial(now).unwrap_err().retry_after, Duration::from_secs(10));
    }
}
