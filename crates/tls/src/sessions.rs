//! Resumption of sessions, shared by all listeners and workers of a gateway.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::{
    TicketRotator,
    crypto::aws_lc_rs::Ticketer,
    server::{NoServerSessionStorage, ProducesTickets, ServerSessionMemoryCache, StoresServerSessions},
};

use crate::error::SettingsError;

/// Keys of tickets are forgotten after twice this time at the latest.
const LONGEST_PERIOD: u32 = 6 * 60 * 60;

/// Tickets that count for exactly so long (twelve hours at most, when their key is forgotten).
pub(crate) fn tickets(timeout: Duration) -> Result<Arc<dyn ProducesTickets>, SettingsError> {
    let seconds = u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX).max(1);
    let failed = |_| SettingsError("no random numbers for the keys of session tickets".to_owned());
    let keys: Arc<dyn ProducesTickets> = if seconds < LONGEST_PERIOD {
        let make = || Ok(Box::new(Keys(Ticketer::new().map_err(|_| rustls::crypto::GetRandomFailed)?)) as Box<_>);
        Arc::new(TicketRotator::new(seconds, make).map_err(failed)?)
    } else {
        Ticketer::new().map_err(failed)?
    };
    Ok(Arc::new(Tickets { keys, seconds: seconds.min(LONGEST_PERIOD.saturating_mul(2)) }))
}

/// A cache of so many sessions, each of which counts for so long.
pub(crate) fn cache(sessions: usize, timeout: Duration) -> Arc<dyn StoresServerSessions> {
    match sessions {
        0 => Arc::new(NoServerSessionStorage {}),
        _ => Arc::new(Cache { inner: ServerSessionMemoryCache::new(sessions), seconds: timeout.as_secs() }),
    }
}

/// Keys that rotate, as what rotates.
#[derive(Debug)]
struct Keys(Arc<dyn ProducesTickets>);

impl ProducesTickets for Keys {
    fn enabled(&self) -> bool {
        self.0.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.0.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.0.decrypt(cipher)
    }
}

#[derive(Debug)]
struct Tickets {
    keys: Arc<dyn ProducesTickets>,
    seconds: u32,
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.seconds
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.keys.encrypt(&stamped(plain, now()))
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        fresh(&self.keys.decrypt(cipher)?, now(), self.seconds.into())
    }
}

#[derive(Debug)]
struct Cache {
    inner: Arc<ServerSessionMemoryCache>,
    seconds: u64,
}

impl StoresServerSessions for Cache {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.inner.put(key, stamped(&value, now()))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        fresh(&self.inner.get(key)?, now(), self.seconds)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        fresh(&self.inner.take(key)?, now(), self.seconds)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A session with the time at which it was kept before it.
fn stamped(session: &[u8], now: u64) -> Vec<u8> {
    [&now.to_be_bytes(), session].concat()
}

/// A session that was kept no longer ago than so many seconds.
fn fresh(stamped: &[u8], now: u64, seconds: u64) -> Option<Vec<u8>> {
    let (time, session) = stamped.split_first_chunk()?;
    (now.saturating_sub(u64::from_be_bytes(*time)) <= seconds).then(|| session.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_counts_for_so_long() {
        let kept = stamped(b"session", 1000);
        assert_eq!(fresh(&kept, 1000, 60).as_deref(), Some(&b"session"[..]));
        assert_eq!(fresh(&kept, 1060, 60).as_deref(), Some(&b"session"[..]));
        assert_eq!(fresh(&kept, 1061, 60), None);
        assert_eq!(fresh(&kept, 900, 60).as_deref(), Some(&b"session"[..]), "the clock was set back");
        assert_eq!(fresh(b"short", 0, 60), None);
    }

    #[test]
    fn tickets_open_with_their_key_only() {
        let (one, other) = (tickets(Duration::from_secs(60)).unwrap(), tickets(Duration::from_secs(60)).unwrap());
        let ticket = one.encrypt(b"session").unwrap();
        assert_eq!(one.decrypt(&ticket).as_deref(), Some(&b"session"[..]));
        assert_eq!(other.decrypt(&ticket), None);
        assert_eq!(one.lifetime(), 60);
        assert_eq!(tickets(Duration::from_secs(86_400)).unwrap().lifetime(), 43_200);
    }
}
