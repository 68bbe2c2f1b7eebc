//! Idle connections, kept for the next request to the same place.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use hashbrown::HashMap;
use tokio::time::{Instant, sleep_until};
use towergate_http1::client::Buffers;

use crate::{
    connection::Connection,
    connections::{Connections, Dialler},
    error::Error,
    settings::ProxySettings,
    transport::Key,
};

/// How many bytes of buffers are kept for connections that come into use.
const SPARE: usize = 2 << 20;

/// How often connections that the other end has closed are looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// The idle connections of one worker, by what they are made to. The one used last is used next, so that those
/// not needed any more get old and are closed.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<Shelves>,
    dialler: Arc<Dialler>,
    size: usize,
    max_requests: u64,
    idle_timeout: Duration,
}

#[derive(Debug, Default)]
struct Shelves {
    /// Oldest first.
    by_key: HashMap<Key, VecDeque<Idle>>,
    /// What idle connections need not hold.
    spare: Spare,
    /// Whether a task closes what gets too old.
    swept: bool,
    /// How often a connection was used again, and how often such a one was closed just then.
    reused: u64,
    stale: u64,
}

#[derive(Debug, Default)]
struct Spare {
    buffers: Vec<Buffers>,
    bytes: usize,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(crate) fn new(settings: &ProxySettings) -> Self {
        Self {
            idle: Mutex::default(),
            dialler: Dialler::new("http1"),
            size: settings.pool_size,
            max_requests: settings.max_requests,
            idle_timeout: settings.idle_timeout,
        }
    }

    /// An idle connection of this kind that is still open.
    pub(crate) fn take(&self, key: &Key, now: Instant) -> Option<Connection> {
        loop {
            let mut shelves = self.lock();
            let Idle { mut connection, since } = shelves.by_key.get_mut(key)?.pop_back()?;
            if !self.is_too_old(since, now) && connection.is_open() {
                connection.give_buffers(shelves.spare.take());
                shelves.reused = shelves.reused.saturating_add(1);
                return Some(connection);
            }
            // What is closed is dropped after the lock.
            drop(shelves);
        }
    }

    /// Makes a new connection within the time given.
    pub(crate) async fn open(&self, key: &Key, limit: Duration) -> Result<Connection, Error> {
        let mut connection = Connection::new(self.dialler.dial(key, limit).await?);
        connection.give_buffers(self.lock().spare.take());
        Ok(connection)
    }

    /// A connection that was used again turned out to be closed.
    pub(crate) fn was_stale(&self) {
        let mut shelves = self.lock();
        shelves.stale = shelves.stale.saturating_add(1);
    }

    /// What its connections are doing.
    pub(crate) fn connections(&self) -> Connections {
        let shelves = self.lock();
        let idle = shelves.by_key.values().map(VecDeque::len).fold(0, usize::saturating_add);
        self.dialler.connections(u64::try_from(idle).unwrap_or(u64::MAX), shelves.reused, shelves.stale)
    }

    fn is_too_old(&self, since: Instant, now: Instant) -> bool {
        !self.idle_timeout.is_zero() && now.saturating_duration_since(since) >= self.idle_timeout
    }

    /// Keeps a connection whose last response was read to its end.
    pub(crate) fn keep(self: &Arc<Self>, key: Key, mut connection: Connection, now: Instant) {
        let buffers = connection.take_buffers();
        let mut shelves = self.lock();
        shelves.spare.keep(buffers);
        if self.size == 0 || (self.max_requests > 0 && connection.served() >= self.max_requests) {
            return;
        }
        let shelf = shelves.by_key.entry(key).or_default();
        let oldest = if shelf.len() >= self.size { shelf.pop_front() } else { None };
        shelf.push_back(Idle { connection, since: now });
        if !std::mem::replace(&mut shelves.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self), self.next_look(now, now)));
        }
        // What is closed is dropped after the lock.
        drop(shelves);
        drop(oldest);
    }

    /// Closes what is too old or was closed by the other end; when to look again, if anything is left.
    fn close_old(&self, now: Instant) -> Option<Instant> {
        let mut closed = Vec::new();
        let mut shelves = self.lock();
        for shelf in shelves.by_key.values_mut() {
            for _ in 0..shelf.len() {
                let Some(mut idle) = shelf.pop_front() else { break };
                if self.is_too_old(idle.since, now) || !idle.connection.is_open() {
                    closed.push(idle);
                } else {
                    shelf.push_back(idle);
                }
            }
        }
        shelves.by_key.retain(|_, shelf| !shelf.is_empty());
        let oldest = shelves.by_key.values().filter_map(|shelf| shelf.front()).map(|idle| idle.since).min();
        shelves.swept = oldest.is_some();
        drop(shelves);
        oldest.map(|since| self.next_look(now, since))
    }

    /// When to look again at idle connections, the oldest of which is idle since then.
    fn next_look(&self, now: Instant, oldest: Instant) -> Instant {
        let soon = now + SWEEP;
        if self.idle_timeout.is_zero() {
            soon
        } else {
            oldest.checked_add(self.idle_timeout).map_or(soon, |old| old.min(soon))
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spare {
    fn take(&mut self) -> Buffers {
        let buffers = self.buffers.pop().unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(buffers.size());
        buffers
    }

    fn keep(&mut self, buffers: Buffers) {
        let bytes = self.bytes.saturating_add(buffers.size());
        if bytes <= SPARE {
            self.bytes = bytes;
            self.buffers.push(buffers);
        }
    }
}

/// Closes connections that get too old or were closed, as long as there are any and the pool lives.
async fn sweep(pool: Weak<Pool>, mut next: Instant) {
    loop {
        sleep_until(next).await;
        let Some(pool) = pool.upgrade() else { return };
        match pool.close_old(Instant::now()) {
            Some(later) => next = later,
            None => return,
        }
    }
}

/// Where a connection goes back to when it is free again. Connections whose requests were given up,
/// or whose responses were not read to the end, do not: they are closed.
#[derive(Debug, Clone)]
pub(crate) struct Berth {
    pub(crate) key: Key,
    pub(crate) pool: Arc<Pool>,
}

impl Berth {
    pub(crate) fn keep(self, connection: Connection, now: Instant) {
        self.pool.keep(self.key, connection, now);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn connect(listener: &TcpListener, key: &Key) -> (Connection, TcpStream) {
        let pool = Pool::new(&ProxySettings::default());
        let connection = pool.open(key, Duration::from_secs(5)).await.unwrap();
        (connection, listener.accept().await.unwrap().0)
    }

    async fn listen() -> (TcpListener, Key) {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, Key { address, tls: None })
    }

    #[tokio::test]
    async fn what_the_other_end_has_closed_is_not_kept() {
        let (listener, key) = listen().await;
        let pool = Arc::new(Pool::new(&ProxySettings::default()));
        let ((first, open), (second, closed)) = (connect(&listener, &key).await, connect(&listener, &key).await);
        let now = Instant::now();
        pool.keep(key.clone(), first, now);
        pool.keep(key.clone(), second, now);
        drop(closed);
        let count = || pool.lock().by_key.get(&key).map_or(0, VecDeque::len);
        assert_eq!(count(), 2);
        while count() == 2 {
            assert!(pool.close_old(now).is_some(), "one is left");
            tokio::task::yield_now().await;
        }
        assert!(pool.take(&key, now).is_some());
        assert!(pool.take(&key, now).is_none());
        drop(open);
    }

    #[tokio::test]
    async fn the_next_look_is_when_the_oldest_gets_too_old_or_soon() {
        let now = Instant::now();
        for (idle_timeout, next) in [(0, 5), (3, 3), (60, 5)] {
            let idle_timeout = Duration::from_secs(idle_timeout);
            let pool = Pool::new(&ProxySettings { idle_timeout, ..ProxySettings::default() });
            assert_eq!(pool.next_look(now, now), now + Duration::from_secs(next), "{idle_timeout:?}");
        }
    }
}
