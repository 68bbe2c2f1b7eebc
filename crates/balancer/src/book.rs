//! The health of all addresses of an upstream, kept over changes of configuration.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::health::Health;

/// How long the health of an address is remembered that is not in use any more.
const MEMORY: Duration = Duration::from_secs(300);

/// The health of addresses by address and name. It outlives the balancer it was made for: the next
/// one of the same upstream goes on with it.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pages: Mutex<HashMap<(SocketAddr, Box<str>), Page>>,
}

#[derive(Debug)]
struct Page {
    health: Arc<Health>,
    used: Instant,
}

impl Book {
    /// The health of this address under this name; that of a new one is good. One that comes where
    /// others were before has to warm up.
    pub(crate) fn health(&self, address: SocketAddr, name: &str, is_first: bool, now: Instant) -> Arc<Health> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let page = pages.entry((address, name.into()));
        let page = page.or_insert_with(|| {
            let health = Health::new(now);
            if !is_first {
                health.rise(now);
            }
            Page { health: Arc::new(health), used: now }
        });
        page.used = now;
        page.health.clone()
    }

    /// Forgets what nobody has used for long.
    pub(crate) fn forget(&self, now: Instant) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages
            .retain(|_, page| Arc::strong_count(&page.health) > 1 || now.saturating_duration_since(page.used) < MEMORY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_remembered_for_five_minutes() {
        let (book, now) = (Book::default(), Instant::now());
        let address = "127.0.0.1:80".parse().unwrap();
        book.health(address, "a", true, now).decide(false, now);
        assert!(book.health(address, "b", true, now).state().is_in_rotation(), "another name is another target");
        for (seconds, remembered) in [(299, true), (598, true), (899, false)] {
            let later = now + Duration::from_secs(seconds);
            book.forget(later);
            assert_eq!(!book.health(address, "a", true, later).state().is_in_rotation(), remembered, "{seconds}");
        }
    }
}
