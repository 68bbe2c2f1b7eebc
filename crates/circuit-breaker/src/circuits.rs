//! All circuits of one policy.

use std::{
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use arc_swap::ArcSwap;
use hashbrown::{Equivalent, HashMap};
use uuid::Uuid;

use crate::{
    circuit::{Circuit, State},
    rules::Rules,
    watch::{Names, Watch},
};

/// So many circuits are kept whatever they are for; beyond, those that a new one could replace go
/// each time their number has doubled.
const KEPT: usize = 1024;

/// A circuit, and who is told about it.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) circuit: Circuit,
    pub(crate) watch: Watch,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.circuit.state() != State::Closed {
            self.watch.gone();
        }
    }
}

/// The circuits of one policy, made when first asked for.
///
/// A look-up takes no lock and counts no reference: the map is replaced as a whole when a circuit
/// is added, which happens once for each service, route or target.
#[derive(Debug)]
pub(crate) struct Circuits {
    rules: Rules,
    made: ArcSwap<HashMap<OwnedKey, Arc<Watched>>>,
    /// How many there may be before some go; held by whoever makes one.
    most: Mutex<usize>,
}

/// What a circuit is for: a service or route by its id, and the target, if it is for one. All nil
/// in a service of one's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) id: Uuid,
    pub(crate) target: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct OwnedKey {
    id: Uuid,
    target: Box<str>,
}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.id, self.target).hash(state);
    }
}

impl Hash for OwnedKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.id, &*self.target).hash(state);
    }
}

impl Equivalent<OwnedKey> for Key<'_> {
    fn equivalent(&self, key: &OwnedKey) -> bool {
        self.id == key.id && *self.target == *key.target
    }
}

impl Circuits {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, made: ArcSwap::default(), most: Mutex::new(KEPT) }
    }

    /// Does something with the circuit of this key, which is made if there is none.
    pub(crate) fn with<T>(
        &self,
        key: Key<'_>,
        now: impl FnOnce() -> Instant,
        names: impl FnOnce() -> Names,
        does: impl FnOnce(&Watched) -> T,
    ) -> T {
        if let Some(watched) = self.made.load().get(&key) {
            return does(watched);
        }
        does(&self.make(key, now(), names))
    }

    /// All circuits, in no particular order.
    pub(crate) fn all(&self) -> Vec<Arc<Watched>> {
        self.made.load().values().cloned().collect()
    }

    fn make(&self, key: Key<'_>, now: Instant, names: impl FnOnce() -> Names) -> Arc<Watched> {
        let mut most = self.most.lock().unwrap_or_else(PoisonError::into_inner);
        let made = self.made.load();
        if let Some(watched) = made.get(&key) {
            return watched.clone();
        }
        let mut next = HashMap::clone(&made);
        if next.len() >= *most {
            next.retain(|_, watched| !watched.circuit.is_idle(now));
            *most = next.len().saturating_mul(2).max(KEPT);
        }
        let watched = Arc::new(Watched { circuit: Circuit::new(self.rules, now), watch: Watch::new(names()) });
        next.insert(OwnedKey { id: key.id, target: key.target.into() }, watched.clone());
        self.made.store(Arc::new(next));
        watched
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::circuit::Verdict;

    fn call(circuits: &Circuits, key: Key<'_>, verdict: Verdict, now: Instant) {
        circuits.with(
            key,
            || now,
            Names::default,
            |watched| {
                let (ticket, _) = watched.circuit.admit(now).unwrap();
                watched.circuit.report(ticket, verdict, now);
            },
        );
    }

    #[test]
    fn each_key_has_a_circuit_of_its_own() {
        let (circuits, now) = (Circuits::new(Rules::default()), Instant::now());
        let ids = [Uuid::from_u128(1), Uuid::from_u128(2)];
        for id in ids {
            for target in ["", "a:1", "a:2"] {
                call(&circuits, Key { id, target }, Verdict::Success, now);
                call(&circuits, Key { id, target }, Verdict::Success, now);
            }
        }
        let requests: Vec<_> = circuits.all().iter().map(|watched| watched.circuit.snapshot(now).requests).collect();
        assert_eq!(requests, [2; 6]);
    }

    #[test]
    fn what_a_new_circuit_could_replace_is_not_kept_for_ever() {
        let (circuits, start) = (Circuits::new(Rules::default()), Instant::now());
        let key = |number: u128| Key { id: Uuid::from_u128(number), target: "" };
        for _ in 0..5 {
            call(&circuits, key(0), Verdict::Failure, start);
        }
        for number in 1..KEPT as u128 {
            call(&circuits, key(number), Verdict::Success, start);
        }
        assert_eq!(circuits.all().len(), KEPT);
        let later = start + Duration::from_secs(61);
        call(&circuits, key(u128::MAX), Verdict::Success, later);
        assert_eq!(circuits.all().len(), 2, "the new one, and the one that is open");
    }
}
