//! The newest value, without a lock shared between those who read it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Hands each of its watchers a value of its own, and a newer one later.
///
/// The publisher also keeps what it replaced until no watcher uses it any more, so that a large
/// value is taken apart here and not in the middle of a request.
#[derive(Debug)]
pub struct Publisher<T> {
    seats: Vec<Arc<Seat<T>>>,
    retired: Vec<Arc<T>>,
}

#[derive(Debug)]
struct Seat<T> {
    version: AtomicU64,
    newest: Mutex<Arc<T>>,
}

/// One watcher: sees the newest value its publisher has for it.
#[derive(Debug)]
pub struct Watched<T> {
    seat: Arc<Seat<T>>,
    seen: Mutex<(u64, Arc<T>)>,
}

impl<T> Publisher<T> {
    /// A publisher and a watcher for each of these first values.
    pub fn new(values: impl IntoIterator<Item = T>) -> (Self, Vec<Watched<T>>) {
        let seat = |value| Arc::new(Seat { version: AtomicU64::new(0), newest: Mutex::new(Arc::new(value)) });
        let seats: Vec<_> = values.into_iter().map(seat).collect();
        let watch =
            |seat: &Arc<Seat<T>>| Watched { seat: seat.clone(), seen: Mutex::new((0, lock(&seat.newest).clone())) };
        let watched = seats.iter().map(watch).collect();
        (Self { seats, retired: Vec::new() }, watched)
    }

    /// How many watchers there are.
    pub fn watchers(&self) -> usize {
        self.seats.len()
    }

    /// Publishes a newer value for each watcher; those without one keep theirs.
    pub fn publish(&mut self, values: impl IntoIterator<Item = T>) {
        for (seat, value) in self.seats.iter().zip(values) {
            let old = std::mem::replace(&mut *lock(&seat.newest), Arc::new(value));
            seat.version.fetch_add(1, Ordering::Release);
            self.retired.push(old);
        }
    }

    /// Drops what no watcher uses any more; answers how many values wait still.
    pub fn sweep(&mut self) -> usize {
        self.retired.retain(|value| Arc::strong_count(value) > 1);
        self.retired.len()
    }
}

impl<T> Watched<T> {
    /// Another watcher of the same values, for the same worker.
    #[must_use]
    pub fn again(&self) -> Self {
        // Version 0 is older than what is newest, or is that: the first look takes it either way.
        let newest = lock(&self.seat.newest).clone();
        Self { seat: self.seat.clone(), seen: Mutex::new((0, newest)) }
    }

    /// Does something with the newest value.
    ///
    /// Costs one read of a version number and a lock that only this watcher takes.
    pub fn with<R>(&self, use_it: impl FnOnce(&T) -> R) -> R {
        let mut seen = lock(&self.seen);
        let version = self.seat.version.load(Ordering::Acquire);
        if seen.0 != version {
            *seen = (version, lock(&self.seat.newest).clone());
        }
        use_it(&seen.1)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watcher_sees_the_newest_value() {
        let (mut publisher, watched) = Publisher::new(["a1", "b1"]);
        assert_eq!(watched.iter().map(|w| w.with(|v| *v)).collect::<Vec<_>>(), ["a1", "b1"]);
        publisher.publish(["a2", "b2"]);
        publisher.publish(["a3", "b3"]);
        assert_eq!(watched.iter().map(|w| w.with(|v| *v)).collect::<Vec<_>>(), ["a3", "b3"]);
    }

    #[test]
    fn another_watcher_sees_the_newest_value_too() {
        let (mut publisher, watched) = Publisher::new([1]);
        let early = watched[0].again();
        publisher.publish([2]);
        let late = watched[0].again();
        assert_eq!([&early, &late, &watched[0]].map(|watched| watched.with(|value| *value)), [2, 2, 2]);
        publisher.publish([3]);
        assert_eq!([&early, &late, &watched[0]].map(|watched| watched.with(|value| *value)), [3, 3, 3]);
    }

    #[test]
    fn what_was_replaced_is_dropped_when_nobody_uses_it() {
        let (mut publisher, watched) = Publisher::new([1, 2]);
        publisher.publish([3, 4]);
        assert_eq!(publisher.sweep(), 2, "both watchers still hold the old one");
        watched[0].with(|_| ());
        assert_eq!(publisher.sweep(), 1);
        watched[1].with(|_| ());
        assert_eq!(publisher.sweep(), 0);
    }
}
