//! Counters in memory, shared by all threads of a process.

mod shard;

use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use shard::Shard;

use crate::{
    store::{Count, Counted, Counting, Store},
    window::Cell,
};

/// A power of two: how many threads may count at the same time, and how short a sweep is.
const SHARDS: usize = 256;

/// All shards are swept once in so many milliseconds, as long as something is counted.
const ROUND: u64 = 10_000;

/// Counters in memory, shared by all threads of a process.
///
/// A counter takes 48 bytes and its share of the table (at most as much again), however long the
/// identifier is: it is stored as 128 bits of a keyed hash. One whose window is over is forgotten, at
/// the latest ten seconds after it if anything is counted. There are at most
/// [`MOST_COUNTERS`](Self::MOST_COUNTERS); beyond that those that have counted least are forgotten.
pub struct Local {
    shards: Box<[Padded]>,
    key: [u8; 16],
    next_sweep: AtomicU64,
    cursor: AtomicUsize,
}

/// A shard on cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
struct Padded(Mutex<Shard>);

impl Default for Local {
    fn default() -> Self {
        Self::new()
    }
}

impl Local {
    /// More counters than this are not kept: about 300 MiB.
    pub const MOST_COUNTERS: usize = 1 << 22;

    /// No counters yet.
    pub fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Padded::default()).collect();
        // Not a secret of cryptography: a client that does not see it cannot aim at another's counter.
        let key = uuid::Uuid::new_v4().into_bytes();
        Self { shards, key, next_sweep: AtomicU64::new(0), cursor: AtomicUsize::new(0) }
    }

    /// Checks and counts, and tells the cells what had been counted before.
    pub(crate) fn count_cells(&self, fingerprint: [u64; 2], cells: &mut [Cell], penalty: bool, now: u64) -> bool {
        let most = Self::MOST_COUNTERS / SHARDS;
        let admitted = self.shard(fingerprint).count(fingerprint, cells, penalty, now, most);
        self.sweep_in_turn(now);
        admitted
    }

    /// Adds what was counted elsewhere in the same window.
    #[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "only redis tells of others"))]
    pub(crate) fn learn(&self, fingerprint: [u64; 2], cell: &Cell, more: i64) {
        self.shard(fingerprint).learn(fingerprint, cell, more);
    }

    /// What the fingerprints of its keys are made with.
    #[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "only redis falls back on it"))]
    pub(crate) fn key(&self) -> &[u8; 16] {
        &self.key
    }

    fn shard(&self, fingerprint: [u64; 2]) -> MutexGuard<'_, Shard> {
        // The low bits of the other half choose the place within a shard.
        let place = fingerprint[1] as usize % SHARDS;
        #[expect(clippy::indexing_slicing, reason = "there are SHARDS shards")]
        lock(&self.shards[place])
    }

    /// Now and then a count also sweeps one shard.
    fn sweep_in_turn(&self, now: u64) {
        let due = self.next_sweep.load(Ordering::Relaxed);
        if now < due {
            return;
        }
        let next = now.saturating_add(ROUND / SHARDS as u64);
        if self.next_sweep.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let place = self.cursor.fetch_add(1, Ordering::Relaxed) % SHARDS;
            if let Some(Ok(mut shard)) = self.shards.get(place).map(|shard| shard.0.try_lock()) {
                shard.sweep(now);
            }
        }
    }

    /// Forgets everything whose window is over at this moment, in milliseconds since 1970.
    pub fn sweep(&self, now: u64) {
        self.shards.iter().for_each(|shard| lock(shard).sweep(now));
    }

    /// Sweeps every ten seconds, for ever: for memory to come back when nothing is counted any more.
    #[cfg(feature = "redis")]
    pub(crate) async fn keep_swept(self: std::sync::Arc<Self>) {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(ROUND)).await;
            self.sweep(crate::store::milliseconds(std::time::SystemTime::now()));
        }
    }

    /// How many counters there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes the counters take.
    pub fn bytes(&self) -> usize {
        let shards: usize = self.shards.iter().map(|shard| lock(shard).bytes()).sum();
        shards.saturating_add(SHARDS.saturating_mul(size_of::<Padded>()))
    }
}

fn lock(shard: &Padded) -> MutexGuard<'_, Shard> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for Local {
    fn count_now(&self, count: &mut Count<'_>) -> Option<bool> {
        let fingerprint = count.identifier.fingerprint(&self.key);
        Some(self.count_cells(fingerprint, &mut count.cells, count.penalty, count.now))
    }

    fn count(&self, mut count: Count<'_>) -> Counting {
        let admitted = self.count_now(&mut count).unwrap_or_default();
        Counting::Done(Ok(Counted { admitted, cells: count.cells }))
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("counters", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, thread, time::Duration};

    use super::*;
    use crate::{
        identifier::Identifier,
        period::Period,
        window::{Window, WindowType},
    };

    fn count(local: &Local, who: &str, windows: &[Window], now: u64) -> Counted {
        let identifier = Identifier::Text(Cow::Borrowed(who.as_bytes()));
        match local.count(Count::new(identifier, windows, now)) {
            Counting::Done(counted) => counted.unwrap(),
            Counting::Later(_) => panic!("nothing to wait for"),
        }
    }

    fn minute(limit: f64) -> Window {
        Window::calendar(Period::Minute, limit)
    }

    #[test]
    fn so_many_and_no_more_and_again_in_the_next_window() {
        let local = Local::new();
        let windows = [minute(3.0)];
        let admitted = |now| count(&local, "a", &windows, now).admitted;
        assert_eq!([0, 1, 2, 3, 59_999].map(admitted), [true, true, true, false, false]);
        assert_eq!([60_000, 60_001].map(admitted), [true, true]);
        assert!(count(&local, "b", &windows, 0).admitted, "somebody else's");
    }

    #[test]
    fn what_one_window_refuses_is_counted_in_none() {
        let local = Local::new();
        let windows = [Window::calendar(Period::Second, 1.0), minute(3.0)];
        let used = |now| {
            let counted = count(&local, "a", &windows, now);
            (counted.admitted, counted.cells[0].current, counted.cells[1].current)
        };
        assert_eq!(used(0), (true, 0, 0));
        assert_eq!(used(1), (false, 1, 1));
        assert_eq!(used(2), (false, 1, 1));
        assert_eq!(used(1000), (true, 0, 1));
        assert_eq!(used(2000), (true, 0, 2));
        assert_eq!(used(3000), (false, 0, 3), "the minute is used up; the second is not touched");
    }

    #[test]
    fn with_a_penalty_what_is_refused_counts() {
        let local = Local::new();
        let windows = [Window::every(Duration::from_secs(60), WindowType::Sliding, 1.0)];
        for before in 0..5 {
            let mut request = Count::new(Identifier::Id(uuid::Uuid::nil()), &windows, 0);
            request.penalty = true;
            let Counting::Done(Ok(counted)) = local.count(request) else { panic!("done") };
            assert_eq!((counted.admitted, counted.cells[0].current), (before == 0, before));
        }
    }

    #[test]
    fn an_earlier_moment_counts_in_the_window_of_now() {
        let local = Local::new();
        let windows = [minute(2.0)];
        assert!(count(&local, "a", &windows, 60_000).admitted);
        assert!(count(&local, "a", &windows, 59_999).admitted, "overtaken: counted with the later one");
        assert!(!count(&local, "a", &windows, 60_001).admitted);
        assert!(!count(&local, "a", &windows, 59_998).admitted);
    }

    #[test]
    fn many_threads_never_get_one_more() {
        let local = Local::new();
        let windows = [minute(1000.0), Window::every(Duration::from_secs(30), WindowType::Sliding, 900.0)];
        let admitted: usize = thread::scope(|scope| {
            let one = || (0..500).filter(|_| count(&local, "a", &windows, 5).admitted).count();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 900);
    }

    const KEYS: usize = 1_000_000;

    fn fill(local: &Local, windows: &[Window], now: u64) {
        for key in 0..KEYS as u128 {
            let identifier = Identifier::Id(uuid::Uuid::from_u128(key));
            assert!(matches!(local.count(Count::new(identifier, windows, now)), Counting::Done(Ok(_))));
        }
    }

    #[test]
    fn a_million_keys_take_little_and_are_forgotten_after_their_window() {
        let local = Local::new();
        fill(&local, &[minute(5.0)], 1000);
        assert_eq!(local.len(), KEYS);
        let each = local.bytes() / KEYS;
        assert!(each <= 128, "{each} bytes each");
        local.sweep(59_999);
        assert_eq!(local.len(), KEYS, "the window is not over");
        local.sweep(60_000);
        assert_eq!(local.len(), 0);
        assert!(local.bytes() < 1 << 20, "{} bytes", local.bytes());
    }

    #[test]
    fn counting_anything_forgets_what_is_over() {
        let local = Local::new();
        fill(&local, &[minute(5.0)], 1000);
        let later = 10 * 60_000;
        for step in 0..=SHARDS as u64 {
            count(&local, "somebody", &[minute(5.0)], later + step * (ROUND / SHARDS as u64));
        }
        assert_eq!(local.len(), 1, "after ten seconds in which something was counted");
        assert!(local.bytes() < 1 << 20, "{} bytes", local.bytes());
    }

    #[test]
    fn a_table_does_not_grow_for_what_is_over() {
        let local = Local::new();
        let windows = [Window::calendar(Period::Second, 1.0)];
        for now in 0..40 {
            for key in 0..10_000_u128 {
                let identifier = Identifier::Id(uuid::Uuid::from_u128(now * 10_000 + key));
                let _ = local.count(Count::new(identifier, &windows, now as u64 * 1000));
            }
        }
        assert!(local.len() < 40_000, "{}", local.len());
    }

    #[test]
    fn beyond_the_most_those_that_counted_least_go() {
        let mut shard = Shard::default();
        let window = Window::calendar(Period::Year, 100.0);
        let mut add = |key: u64, times| {
            for _ in 0..times {
                let mut cells = [window.cell(0, 1)];
                shard.count([key.wrapping_mul(0x9e37_79b9_7f4a_7c15), key], &mut cells, false, 0, 1000);
            }
        };
        (0..100).for_each(|key| add(key, 5));
        (100..5000).for_each(|key| add(key, 1));
        assert!(shard.len() <= 2000, "{}", shard.len());
        for key in 0..100_u64 {
            let mut cells = [window.cell(0, 0)];
            shard.count([key.wrapping_mul(0x9e37_79b9_7f4a_7c15), key], &mut cells, false, 0, 1000);
            assert_eq!(cells[0].current, 5, "{key}");
        }
    }
}
