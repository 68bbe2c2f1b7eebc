//! How many events a sliding window holds.

use std::sync::atomic::{AtomicU64, Ordering};

/// Into how many ticks a window is divided.
const TICKS: u32 = 10;

/// How many events the last ten ticks saw, counted by all threads without a lock: what policies judge
/// calls by that are not long past. A tick is a tenth of the window; whoever counts numbers them.
///
/// One word per tick holds the tick's number and how many events it saw; the word of a tick long
/// past is taken over by the tick that comes to its place. Counting is one atomic addition.
///
/// ```
/// use towergate_core::Count;
///
/// let count = Count::default();
/// count.add(100);
/// count.add(105);
/// assert_eq!((count.sum(109), count.sum(110), count.sum(115)), (2, 1, 0));
/// ```
#[derive(Debug, Default)]
pub struct Count {
    ticks: [AtomicU64; TICKS as usize],
}

impl Count {
    /// How many ticks a window has.
    pub const TICKS: u32 = TICKS;

    /// Counts an event of this tick.
    pub fn add(&self, tick: u32) {
        let Some(place) = self.ticks.get((tick % TICKS) as usize) else { return };
        let mut seen = place.load(Ordering::Relaxed);
        loop {
            let (at, events) = unpack(seen);
            if at == tick {
                // Should another tick take the place over just now, it has one event too many: no harm.
                place.fetch_add(1, Ordering::Relaxed);
                return;
            }
            // From a clock read before the place was taken over by a later tick: too old to count.
            if events > 0 && at.wrapping_sub(tick).cast_signed() > 0 {
                return;
            }
            match place.compare_exchange_weak(seen, pack(tick, 1), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// The events of this tick and of those before it that the window still holds.
    pub fn sum(&self, tick: u32) -> u32 {
        let ticks = self.ticks.iter().map(|place| unpack(place.load(Ordering::Relaxed)));
        let held = ticks.filter(|(at, _)| tick.wrapping_sub(*at) < TICKS);
        held.fold(0, |sum, (_, events)| sum.saturating_add(events))
    }

    /// Forgets all events.
    pub fn clear(&self) {
        self.ticks.iter().for_each(|place| place.store(0, Ordering::Relaxed));
    }
}

fn pack(tick: u32, events: u32) -> u64 {
    u64::from(tick) << 32 | u64::from(events)
}

fn unpack(place: u64) -> (u32, u32) {
    ((place >> 32) as u32, place as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_forgotten_after_a_window() {
        let count = Count::default();
        for tick in [100, 100, 101, 105] {
            count.add(tick);
        }
        for (tick, events) in [(105, 4), (109, 4), (110, 2), (111, 1), (114, 1), (115, 0), (1_000, 0)] {
            assert_eq!(count.sum(tick), events, "at {tick}");
        }
    }

    #[test]
    fn a_place_is_taken_over_and_not_given_back() {
        let count = Count::default();
        count.add(100);
        count.add(110);
        count.add(100);
        assert_eq!((count.sum(110), count.sum(109)), (1, 0));
        count.clear();
        assert_eq!(count.sum(110), 0);
    }

    #[test]
    fn numbers_of_ticks_may_start_again() {
        let count = Count::default();
        count.add(u32::MAX);
        count.add(0);
        count.add(9);
        assert_eq!((count.sum(0), count.sum(8), count.sum(9)), (2, 2, 2));
        assert_eq!((count.sum(4), count.sum(10)), (2, 1));
    }

    #[test]
    fn threads_lose_no_event() {
        let count = Count::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|n| count.add(n / 1_000)));
            }
        });
        assert_eq!(count.sum(9), 40_000);
    }
}
