//! How many requests an upstream is given at the same time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use towergate_core::RequestLimit;

/// Lets so many requests in, and lets so many more wait, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Limiter {
    pub(crate) limit: RequestLimit,
    places: Arc<Semaphore>,
    pending: AtomicU32,
}

/// The place of a request that was let in; free again when this is dropped.
#[derive(Debug)]
pub struct Permit {
    _place: OwnedSemaphorePermit,
}

/// No request can be let in now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// When it may make sense to ask again.
    pub retry_after: Duration,
}

impl Limiter {
    pub(crate) fn new(limit: RequestLimit) -> Self {
        let places = usize::try_from(limit.max_in_flight).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(places)), pending: AtomicU32::new(0), limit }
    }

    /// A place, if there is one now and nobody waits for it.
    pub(crate) fn enter(&self) -> Option<Permit> {
        self.places.clone().try_acquire_owned().ok().map(|place| Permit { _place: place })
    }

    /// A place when there is one, if not too many wait already and it does not take too long.
    pub(crate) async fn wait(&self) -> Result<Permit, Full> {
        let full = Full { retry_after: self.limit.pending_timeout.max(Duration::from_secs(1)) };
        let Some(_waiting) = Waiting::begin(self) else { return Err(full) };
        match timeout(self.limit.pending_timeout, self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => Ok(Permit { _place: place }),
            _ => Err(full),
        }
    }
}

/// A request that waits, until this is dropped.
struct Waiting<'a>(&'a Limiter);

impl<'a> Waiting<'a> {
    fn begin(limiter: &'a Limiter) -> Option<Self> {
        let more = |waiting: u32| (waiting < limiter.limit.max_pending).then(|| waiting.saturating_add(1));
        limiter.pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self(limiter))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(max_in_flight: u32, max_pending: u32, seconds: u64) -> Limiter {
        Limiter::new(RequestLimit { max_in_flight, max_pending, pending_timeout: Duration::from_secs(seconds) })
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_let_in_and_so_many_wait() {
        let limiter = limiter(2, 1, 5);
        let (first, _second) = (limiter.enter().unwrap(), limiter.enter().unwrap());
        assert!(limiter.enter().is_none());
        let waiting = limiter.wait();
        tokio::pin!(waiting);
        assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
        assert_eq!(limiter.wait().await.unwrap_err(), Full { retry_after: Duration::from_secs(5) }, "one may wait");
        drop(first);
        assert!(limiter.enter().is_none(), "nobody overtakes who waits");
        assert!(waiting.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let limiter = limiter(1, 9, 3);
        let _held = limiter.enter().unwrap();
        let began = tokio::time::Instant::now();
        assert!(limiter.wait().await.is_err());
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        assert_eq!(limiter.pending.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_makes_room() {
        let limiter = limiter(1, 1, 60);
        let held = limiter.enter().unwrap();
        {
            let waiting = limiter.wait();
            tokio::pin!(waiting);
            assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
        }
        drop(held);
        assert!(limiter.enter().is_some());
        let without = self::limiter(1, 0, 60);
        let _held = without.enter().unwrap();
        assert_eq!(without.wait().await.unwrap_err().retry_after, Duration::from_secs(60));
    }
}
