//! The health of one address, shared by all who look at it or tell about it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicU64, Ordering},
};

use towergate_core::HealthRules;

use crate::{
    ring::Ring,
    state::{Report, State},
};

/// The health of one address. Reading and telling take no lock; only when the address leaves or
/// comes back into rotation are the rings told that it is in, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Health {
    state: AtomicU64,
    rings: Mutex<Vec<(Weak<Ring>, usize)>>,
}

impl Health {
    pub(crate) fn state(&self) -> State {
        State::from_bits(self.state.load(Ordering::SeqCst))
    }

    /// Takes a report in; answers whether the address left or came back into rotation by it, and
    /// then in which state it is.
    pub(crate) fn report(&self, report: Report, limits: &HealthRules) -> Option<State> {
        self.change(|state| state.after(report, limits))
    }

    /// What somebody has decided.
    pub(crate) fn decide(&self, healthy: bool) -> Option<State> {
        self.change(|_| State::decided(healthy))
    }

    fn change(&self, next: impl Fn(State) -> State) -> Option<State> {
        let step = |bits| {
            let state = State::from_bits(bits);
            let next = next(state);
            (next != state).then(|| next.to_bits())
        };
        let before = State::from_bits(self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step).ok()?);
        let after = next(before);
        if before.is_in_rotation() == after.is_in_rotation() {
            return None;
        }
        let rings = self.rings();
        // Each reads the state anew, so that the last one to be told has the newest.
        rings.iter().filter_map(|(ring, place)| Some((ring.upgrade()?, place))).for_each(|(ring, place)| {
            ring.follow_health(*place);
        });
        drop(rings);
        Some(after)
    }

    /// Tells this ring from now on, and what is so now.
    pub(crate) fn tell(&self, ring: &Arc<Ring>, place: usize) {
        let mut rings = self.rings();
        rings.retain(|(ring, _)| ring.strong_count() > 0);
        rings.push((Arc::downgrade(ring), place));
        ring.follow_health(place);
    }

    fn rings(&self) -> MutexGuard<'_, Vec<(Weak<Ring>, usize)>> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
