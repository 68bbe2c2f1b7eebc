//! A token bucket for each key: governor's algorithm over a table of our own.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use governor::{
    RateLimiter,
    clock::{Clock, MonotonicClock, Reference},
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::StateStore,
};
use hashbrown::HashTable;
use http::HeaderValue;
use towergate_core::{Context, Verdict};

use super::Quota;
use crate::{
    headers::{self, HeaderStyle, Headers, Shown},
    identifier::Identifier,
    limiter::{self, Rule, refusal},
};

/// A power of two: how many threads may count at the same time.
const SHARDS: usize = 256;

/// All shards are swept once in so many nanoseconds, as long as something is counted.
const ROUND: u64 = 10_000_000_000;

/// A token bucket for each key, in memory: 24 bytes for one that is not full.
pub struct TokenBucket<C: Clock = MonotonicClock> {
    limiter: RateLimiter<[u64; 2], Buckets, C, StateInformationMiddleware>,
    clock: C,
    start: C::Instant,
    buckets: Buckets,
    burst: NonZeroU32,
    /// How long one token takes.
    each: Duration,
    key: [u8; 16],
}

/// What a bucket said of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Whether the request may go on.
    pub admitted: bool,
    /// How many more may do so at once.
    pub remaining: u32,
    /// How long until the next one may, if this one may not, or until the bucket is full.
    pub wait: Duration,
}

impl TokenBucket {
    /// Full buckets of this quota.
    pub fn new(quota: Quota) -> Self {
        Self::with_clock(quota, MonotonicClock)
    }
}

impl<C: Clock + Clone> TokenBucket<C> {
    /// Full buckets of this quota that follow this clock.
    pub fn with_clock(quota: Quota, clock: C) -> Self {
        let burst = quota.burst.unwrap_or(quota.requests);
        let each = quota.time.checked_div(quota.requests.get()).unwrap_or(quota.time).max(Duration::from_nanos(1));
        // A period above zero always makes a quota.
        let own = governor::Quota::with_period(each).unwrap_or(governor::Quota::per_second(burst)).allow_burst(burst);
        let buckets = Buckets(Arc::new(Table::new()));
        let (start, limiter) = (clock.now(), RateLimiter::new(own, buckets.clone(), clock.clone()));
        let key = uuid::Uuid::new_v4().into_bytes();
        Self { limiter, clock, start, buckets, burst, each, key }
    }

    /// Takes a token of this key, if there is one.
    pub fn draw(&self, identifier: &Identifier<'_>) -> Drawn {
        let now = self.clock.now();
        self.buckets.0.sweep_in_turn(now.duration_since(self.start).as_u64());
        match self.limiter.check_key(&identifier.fingerprint(&self.key)) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let taken = self.burst.get().saturating_sub(remaining);
                Drawn { admitted: true, remaining, wait: self.each.saturating_mul(taken) }
            }
            Err(refused) => Drawn { admitted: false, remaining: 0, wait: refused.wait_time_from(now) },
        }
    }

    /// How many buckets are not known to be full.
    pub fn len(&self) -> usize {
        self.buckets.0.len()
    }

    /// Whether all buckets are full.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn judge(&self, identifier: &Identifier<'_>, rule: &Rule, cx: &Context) -> Verdict {
        let drawn = self.draw(identifier);
        let seconds = drawn.wait.as_secs().saturating_add(u64::from(drawn.wait.subsec_nanos() > 0)).max(1);
        let mut headers = Headers::new();
        if matches!(rule.style, HeaderStyle::Kong | HeaderStyle::Both) {
            headers.extend(headers::kong_least(
                Shown::Whole(self.burst.get().into()),
                Shown::number(drawn.remaining.into()),
                seconds,
            ));
        }
        if matches!(rule.style, HeaderStyle::Ietf | HeaderStyle::Both) {
            let whole = self.each.saturating_mul(self.burst.get()).as_secs_f64().ceil();
            let policy = format!("\"bucket\";q={};w={whole}", self.burst);
            headers.extend(headers::ietf(
                HeaderValue::from_str(&policy).ok(),
                "bucket",
                drawn.remaining.into(),
                seconds,
            ));
        }
        if drawn.admitted {
            limiter::set(cx, headers);
            return Verdict::Pass;
        }
        if rule.style != HeaderStyle::Hidden {
            headers.push(headers::retry_after(seconds));
        }
        Verdict::Refuse(refusal(rule.status, &rule.message, headers))
    }
}

impl<C: Clock> std::fmt::Debug for TokenBucket<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenBucket").field("burst", &self.burst).field("each", &self.each).finish_non_exhaustive()
    }
}

/// The buckets that are not full, as governor sees them.
#[derive(Clone)]
struct Buckets(Arc<Table>);

impl StateStore for Buckets {
    type Key = [u64; 2];

    fn measure_and_replace<T, F, E>(&self, key: &[u64; 2], decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut shard = self.0.shard(*key);
        let found = shard.find_mut(key[0], |bucket| bucket.key == *key);
        let (outcome, full_at) = decide(found.as_ref().map(|bucket| Nanos::new(bucket.full_at)))?;
        match found {
            Some(bucket) => bucket.full_at = full_at.as_u64(),
            None => self.0.insert(&mut shard, Bucket { key: *key, full_at: full_at.as_u64() }),
        }
        Ok(outcome)
    }
}

/// A bucket: when it will be full, in nanoseconds since the beginning (the algorithm's theoretical
/// arrival time). One that is full again is as if it had never been.
struct Bucket {
    key: [u64; 2],
    full_at: u64,
}

struct Table {
    shards: Vec<Mutex<HashTable<Bucket>>>,
    now: AtomicU64,
    next_sweep: AtomicU64,
    cursor: AtomicUsize,
}

impl Table {
    fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            now: AtomicU64::new(0),
            next_sweep: AtomicU64::new(0),
            cursor: AtomicUsize::new(0),
        }
    }

    fn shard(&self, key: [u64; 2]) -> MutexGuard<'_, HashTable<Bucket>> {
        let place = key[1] as usize % SHARDS;
        #[expect(clippy::indexing_slicing, reason = "there are SHARDS shards")]
        lock(&self.shards[place])
    }

    /// Before the table would grow, what is full goes; it grows only if that was less than half.
    fn insert(&self, shard: &mut HashTable<Bucket>, bucket: Bucket) {
        let full = shard.len();
        if full == shard.capacity() {
            let now = self.now.load(Ordering::Relaxed);
            shard.retain(|bucket| bucket.full_at > now);
            if shard.len() > full / 2 {
                let more = shard.len().max(8);
                shard.reserve(more, |bucket| bucket.key[0]);
            }
        }
        shard.insert_unique(bucket.key[0], bucket, |bucket| bucket.key[0]);
    }

    /// Now and then a draw also sweeps one shard.
    fn sweep_in_turn(&self, now: u64) {
        self.now.fetch_max(now, Ordering::Relaxed);
        let due = self.next_sweep.load(Ordering::Relaxed);
        let next = now.saturating_add(ROUND / SHARDS as u64);
        if now < due || self.next_sweep.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let place = self.cursor.fetch_add(1, Ordering::Relaxed) % SHARDS;
        if let Some(Ok(mut shard)) = self.shards.get(place).map(Mutex::try_lock) {
            shard.retain(|bucket| bucket.full_at > now);
            if shard.len() < shard.capacity() / 4 {
                let keep = shard.len().saturating_mul(2);
                shard.shrink_to(keep, |bucket| bucket.key[0]);
            }
        }
    }

    fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }
}

fn lock(shard: &Mutex<HashTable<Bucket>>) -> MutexGuard<'_, HashTable<Bucket>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn of(key: u128) -> Identifier<'static> {
        Identifier::Id(uuid::Uuid::from_u128(key))
    }

    #[test]
    fn a_burst_then_a_steady_rate() {
        let clock = FakeRelativeClock::default();
        let bucket = TokenBucket::with_clock(Quota::per_second(number(10)).burst(number(3)), clock.clone());
        let remaining: Vec<_> = (0..3).map(|_| bucket.draw(&of(1)).remaining).collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = bucket.draw(&of(1));
        assert_eq!(refused, Drawn { admitted: false, remaining: 0, wait: Duration::from_millis(100) });
        assert!(bucket.draw(&of(2)).admitted, "somebody else's");
        clock.advance(Duration::from_millis(99));
        assert!(!bucket.draw(&of(1)).admitted);
        clock.advance(Duration::from_millis(1));
        assert!(bucket.draw(&of(1)).admitted);
        assert!(!bucket.draw(&of(1)).admitted);
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let bucket = TokenBucket::with_clock(Quota::per_second(number(1)), clock.clone());
        for key in 0..100_000 {
            assert!(bucket.draw(&of(key)).admitted);
        }
        assert_eq!(bucket.len(), 100_000);
        clock.advance(Duration::from_secs(1));
        for _ in 0..=SHARDS {
            clock.advance(Duration::from_nanos(ROUND / SHARDS as u64));
            bucket.draw(&of(u128::MAX));
        }
        assert!(bucket.len() <= 1, "{}", bucket.len());
    }

    #[test]
    fn many_threads_never_get_one_more() {
        let bucket = TokenBucket::with_clock(Quota::per_hour(number(500)), FakeRelativeClock::default());
        let admitted: usize = std::thread::scope(|scope| {
            let one = || (0..500).filter(|_| bucket.draw(&of(1)).admitted).count();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 500);
    }
}
