//! Verifying argon2 hashes beside the workers.

use std::{fmt, num::NonZeroUsize, sync::Arc, thread::available_parallelism};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{password, verified::Verified};

/// How many requests may wait for a verification at a time; others are told to come back.
const MAX_WAITING: usize = 256;

/// Verifies argon2 hashes, a few at a time and on threads that serve no requests, and remembers what
/// it verified.
pub(super) struct Verifier {
    verified: Verified,
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

// Written out because what it remembers is nobody's business.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("free", &self.working.available_permits()).finish_non_exhaustive()
    }
}

impl Default for Verifier {
    /// One that takes half of the processors at most.
    fn default() -> Self {
        let half = available_parallelism().map_or(1, NonZeroUsize::get).div_ceil(2);
        Self::new(NonZeroUsize::new(half).unwrap_or(NonZeroUsize::MIN))
    }
}

/// What came of a verification that was not made: the thread for it was lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost;

impl Verifier {
    /// One that verifies so many hashes at a time.
    pub(super) fn new(at_a_time: NonZeroUsize) -> Self {
        let at_a_time = at_a_time.get().min(MAX_WAITING);
        Self {
            verified: Verified::default(),
            working: Arc::new(Semaphore::new(at_a_time)),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
        }
    }

    /// Whether this pair was verified before.
    pub(super) fn remembers(&self, hash: &str, password: &[u8]) -> bool {
        self.verified.tag(hash, password).is_some_and(|tag| self.verified.contains(tag))
    }

    /// A place among those who wait; `None` if too many do.
    pub(super) fn queue(&self) -> Option<OwnedSemaphorePermit> {
        self.waiting.clone().try_acquire_owned().ok()
    }

    /// Whether this is the password of this hash, of somebody `known` or only to take as long.
    /// Whoever waits holds a place of the queue.
    pub(super) async fn verify(
        self: Arc<Self>,
        hash: Box<str>,
        password: Vec<u8>,
        known: bool,
        place: OwnedSemaphorePermit,
    ) -> Result<bool, Lost> {
        let turn = self.working.clone().acquire_owned().await.map_err(|_| Lost)?;
        // Another request with the same pair may have been first.
        if known && self.remembers(&hash, &password) {
            return Ok(true);
        }
        // The permits go along: a request that is given up does not make room while its work goes on.
        let work = move || {
            let _held = (turn, place);
            let is_good = password::is_argon2_of(&hash, &password);
            // What was guessed under a name that nobody has must not be quick the next time.
            if let Some(tag) = self.verified.tag(&hash, &password).filter(|_| is_good && known) {
                self.verified.insert(tag);
            }
            is_good
        };
        match Handle::try_current() {
            Ok(runtime) => runtime.spawn_blocking(work).await.map_err(|_| Lost),
            Err(_) => Ok(work()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash that is quick to verify.
    fn quick(password: &str) -> Box<str> {
        use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
        let params = Params::new(8, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password(password.as_bytes()).unwrap().to_string().into()
    }

    #[tokio::test]
    async fn good_pairs_are_remembered_and_bad_ones_not() {
        let verifier = Arc::new(Verifier::new(NonZeroUsize::MIN));
        let hash = quick("good");
        for (password, is_good) in [("bad", false), ("good", true), ("good", true)] {
            let place = verifier.queue().unwrap();
            let verdict = verifier.clone().verify(hash.clone(), password.into(), true, place).await;
            assert_eq!(verdict, Ok(is_good));
            assert_eq!(verifier.remembers(&hash, password.as_bytes()), is_good);
        }
        assert!(!verifier.remembers(&quick("good"), b"good"), "another hash of it is another pair");
        let (hash, place) = (quick("good"), verifier.queue().unwrap());
        assert_eq!(verifier.clone().verify(hash.clone(), b"good".into(), false, place).await, Ok(true));
        assert!(!verifier.remembers(&hash, b"good"), "nobody's pair");
    }

    #[tokio::test]
    async fn no_more_wait_than_may() {
        let verifier = Arc::new(Verifier::new(NonZeroUsize::MIN));
        let turn = verifier.working.clone().acquire_owned().await.unwrap();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..MAX_WAITING {
            let place = verifier.queue().unwrap();
            waiting.spawn(verifier.clone().verify(quick("good"), b"bad".into(), true, place));
        }
        assert!(verifier.queue().is_none());
        drop(turn);
        while let Some(verdict) = waiting.join_next().await {
            assert_eq!(verdict.unwrap(), Ok(false));
        }
        assert!(verifier.queue().is_some());
    }

    #[test]
    fn outside_of_a_runtime_it_works_where_it_is() {
        let verifier = Arc::new(Verifier::default());
        let place = verifier.queue().unwrap();
        let mut future = Box::pin(verifier.verify(quick("good"), b"good".into(), true, place));
        let poll = future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        assert_eq!(poll, std::task::Poll::Ready(Ok(true)));
    }
}
