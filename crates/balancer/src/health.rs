//! The health of one address, shared by all who look at it or tell about it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use towergate_core::HealthRules;

use crate::{
    outlier::Tally,
    ring::Ring,
    state::{Report, State},
};

/// Of its share an address that has just come gets this part at first.
const FIRST_PART: f64 = 0.1;

/// The health of one address. Reading and telling take no lock; only when the address leaves or
/// comes back into rotation are the rings told that it is in, one after the other.
#[derive(Debug)]
pub(crate) struct Health {
    standing: AtomicU64,
    /// What requests have told lately, where outliers are looked for.
    pub(crate) tally: Tally,
    /// When it came into rotation, in milliseconds from the beginning; 0 if it was there before.
    risen: AtomicU64,
    beginning: Instant,
    followers: Mutex<Followers>,
}

/// Kong's state, and whether the address is left out for a while in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    state: State,
    is_ejected: bool,
}

/// Who is told, and what is to happen later.
#[derive(Debug, Default)]
struct Followers {
    rings: Vec<(Weak<Ring>, usize)>,
    /// When it counts as well again, whatever is known of it.
    readmitted: Option<Instant>,
    /// When it is not left out any more.
    returns: Option<Instant>,
}

impl Health {
    /// That of an address that nothing is known of: good.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            standing: AtomicU64::new(0),
            tally: Tally::new(now),
            risen: AtomicU64::new(0),
            beginning: now,
            followers: Mutex::default(),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.standing().state
    }

    /// Whether it gets requests.
    pub(crate) fn is_available(&self) -> bool {
        self.standing().is_available()
    }

    /// Whether it is left out as an outlier.
    pub(crate) fn is_ejected(&self) -> bool {
        self.standing().is_ejected
    }

    /// Takes a report in; answers whether the address left or came back into rotation by it. If it left,
    /// it counts as well again at `readmitted`.
    pub(crate) fn report(
        &self,
        report: Report,
        limits: &HealthRules,
        readmitted: Option<Instant>,
        now: Instant,
    ) -> Option<bool> {
        let next = |standing: Standing| Standing { state: standing.state.after(report, limits), ..standing };
        self.change(now, next, |followers| followers.readmitted = readmitted)
    }

    /// What somebody has decided.
    pub(crate) fn decide(&self, healthy: bool, now: Instant) -> Option<bool> {
        self.followers().readmitted = None;
        let next = |standing: Standing| Standing {
            state: State::decided(healthy),
            is_ejected: standing.is_ejected && !healthy,
        };
        self.change(now, next, |_| {})
    }

    /// Leaves it out until then.
    pub(crate) fn eject(&self, until: Instant, now: Instant) -> Option<bool> {
        let next = |standing: Standing| Standing { is_ejected: true, ..standing };
        self.change(now, next, |followers| followers.returns = Some(until))
    }

    /// It is not to count as well by the passing of time alone: somebody has asked it, and it is not.
    pub(crate) fn hold(&self) {
        if !self.state().is_in_rotation() {
            self.followers().readmitted = None;
        }
    }

    /// Brings it back if its time has come. Answers whether it is in rotation again, and when something is
    /// to happen next.
    pub(crate) fn readmit(&self, now: Instant) -> (Option<bool>, Option<Instant>) {
        let (readmitted, returns) = {
            let followers = self.followers();
            (followers.readmitted, followers.returns)
        };
        let is_over = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        if !is_over(readmitted) && !is_over(returns) {
            return (None, [readmitted, returns].into_iter().flatten().min());
        }
        let next = |standing: Standing| Standing {
            state: if is_over(readmitted) { State::decided(true) } else { standing.state },
            is_ejected: standing.is_ejected && !is_over(returns),
        };
        let changed = self.change(now, next, |_| {});
        let mut followers = self.followers();
        for due in [readmitted, returns] {
            // What was set anew in the meantime stays.
            let is_done = |set: &mut Instant| is_over(due) && Some(*set) == due;
            followers.readmitted.take_if(is_done);
            followers.returns.take_if(is_done);
        }
        (changed, [followers.readmitted, followers.returns].into_iter().flatten().min())
    }

    /// Which part of its share it gets, if it gets the whole one so long after it came.
    pub(crate) fn part(&self, slow_start: Duration, now: Instant) -> f64 {
        let risen = self.risen.load(Ordering::Relaxed);
        if risen == 0 {
            return 1.0;
        }
        let elapsed = now.saturating_duration_since(self.beginning).as_secs_f64() - risen as f64 / 1e3;
        (elapsed / slow_start.as_secs_f64()).clamp(FIRST_PART, 1.0)
    }

    /// It has come just now, where others were before.
    pub(crate) fn rise(&self, now: Instant) {
        let millis = now.saturating_duration_since(self.beginning).as_millis();
        self.risen.store(u64::try_from(millis).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
    }

    fn standing(&self) -> Standing {
        Standing::from_bits(self.standing.load(Ordering::SeqCst))
    }

    fn change(
        &self,
        now: Instant,
        next: impl Fn(Standing) -> Standing,
        left: impl FnOnce(&mut Followers),
    ) -> Option<bool> {
        let step = |bits| {
            let standing = Standing::from_bits(bits);
            let next = next(standing);
            (next != standing).then(|| next.to_bits())
        };
        let before = Standing::from_bits(self.standing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step).ok()?);
        let after = next(before);
        let mut followers = self.followers();
        let is_ejected_now = after.is_ejected && !before.is_ejected;
        match (before.state.is_in_rotation(), after.state.is_in_rotation()) {
            (false, true) => followers.readmitted = None,
            (true, false) => left(&mut followers),
            _ if is_ejected_now => left(&mut followers),
            _ => {}
        }
        if before.is_available() == after.is_available() {
            return None;
        }
        if after.is_available() {
            self.rise(now);
        }
        // Each reads the state anew, so that the last one to be told has the newest.
        followers.rings.iter().filter_map(|(ring, place)| Some((ring.upgrade()?, place))).for_each(|(ring, place)| {
            ring.follow_health(*place);
        });
        Some(after.is_available())
    }

    /// Tells this ring from now on, and what is so now.
    pub(crate) fn tell(&self, ring: &Arc<Ring>, place: usize) {
        let mut followers = self.followers();
        followers.rings.retain(|(ring, _)| ring.strong_count() > 0);
        followers.rings.push((Arc::downgrade(ring), place));
        ring.follow_health(place);
    }

    fn followers(&self) -> MutexGuard<'_, Followers> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn is_available(self) -> bool {
        self.state.is_in_rotation() && !self.is_ejected
    }

    fn to_bits(self) -> u64 {
        self.state.to_bits() | u64::from(self.is_ejected) << 63
    }

    fn from_bits(bits: u64) -> Self {
        Self { state: State::from_bits(bits & (u64::MAX >> 1)), is_ejected: bits >> 63 == 1 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A tenth at first, then as much as has passed of the time, then everything; whoever never came is
        /// warm.
        #[test]
        fn the_part_is_that_of_the_time_that_has_passed(
            window in 1u64..100_000, came in 1u64..1_000_000, later in 0u64..200_000
        ) {
            let (start, millis) = (Instant::now(), Duration::from_millis);
            let health = Health::new(start);
            let now = start + millis(came + later);
            prop_assert!((health.part(millis(window), now) - 1.0).abs() < f64::EPSILON);
            health.decide(false, start + millis(came));
            health.decide(true, start + millis(came));
            let expected = (later as f64 / window as f64).clamp(FIRST_PART, 1.0);
            let part = health.part(millis(window), now);
            prop_assert!((part - expected).abs() < 1e-6, "{part} for {expected}");
            prop_assert!(health.part(millis(window), start) >= FIRST_PART, "a clock read before it came");
        }
    }

    #[test]
    fn what_is_left_out_is_a_mark_beside_the_state() {
        let now = Instant::now();
        let health = Health::new(now);
        let limits = HealthRules { tcp_failures: 1, successes: 1, ..HealthRules::default() };
        let later = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(health.eject(later(30), now), Some(false));
        // Found ill and well again while it is left out: only its time counts.
        assert_eq!(health.report(Report::TcpFailure, &limits, Some(later(5)), now), None);
        assert_eq!(health.report(Report::Success, &limits, None, now), None);
        assert!(health.state().is_in_rotation() && health.is_ejected() && !health.is_available());
        assert_eq!(health.readmit(later(29)), (None, Some(later(30))));
        assert_eq!(health.readmit(later(30)), (Some(true), None));
        // Ill when its time is over: it stays out until it is readmitted.
        assert_eq!(health.eject(later(60), later(30)), Some(false));
        assert_eq!(health.report(Report::TcpFailure, &limits, Some(later(90)), later(31)), None);
        assert_eq!(health.readmit(later(60)), (None, Some(later(90))));
        assert_eq!(health.readmit(later(90)), (Some(true), None));
    }
}
