//! Idle connections, kept for the next request to the same place.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::{connection::Connection, settings::ProxySettings, transport::Key};

/// The idle connections of one worker, by what they are made to. The one used last is used next, so that those
/// not needed any more get old and are closed.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<Shelves>,
    size: usize,
    max_requests: u64,
    idle_timeout: Duration,
}

#[derive(Debug, Default)]
struct Shelves {
    /// Oldest first.
    by_key: HashMap<Key, VecDeque<Idle>>,
    /// Whether a task closes what gets too old.
    swept: bool,
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
            size: settings.pool_size,
            max_requests: settings.max_requests,
            idle_timeout: settings.idle_timeout,
        }
    }

    /// An idle connection of this kind that is still open.
    pub(crate) async fn take(&self, key: &Key) -> Option<Connection> {
        loop {
            let Idle { mut connection, since } = self.pop(key)?;
            if !self.is_too_old(since) && connection.is_usable().await {
                return Some(connection);
            }
        }
    }

    fn pop(&self, key: &Key) -> Option<Idle> {
        self.lock().by_key.get_mut(key)?.pop_back()
    }

    fn is_too_old(&self, since: Instant) -> bool {
        !self.idle_timeout.is_zero() && since.elapsed() >= self.idle_timeout
    }

    /// Keeps a connection whose last response was read to its end.
    fn keep(self: &Arc<Self>, key: Key, connection: Connection) {
        if self.size == 0 || (self.max_requests > 0 && connection.served() >= self.max_requests) {
            return;
        }
        let mut shelves = self.lock();
        let shelf = shelves.by_key.entry(key).or_default();
        // What is closed is dropped after the lock.
        let _oldest = if shelf.len() >= self.size { shelf.pop_front() } else { None };
        shelf.push_back(Idle { connection, since: Instant::now() });
        if !shelves.swept && !self.idle_timeout.is_zero() {
            shelves.swept = true;
            tokio::spawn(sweep(Arc::downgrade(self), Instant::now() + self.idle_timeout));
        }
    }

    /// Closes what is too old; when to look again, if anything is left.
    fn close_old(&self) -> Option<Instant> {
        let mut shelves = self.lock();
        for shelf in shelves.by_key.values_mut() {
            while shelf.front().is_some_and(|idle| self.is_too_old(idle.since)) {
                shelf.pop_front();
            }
        }
        shelves.by_key.retain(|_, shelf| !shelf.is_empty());
        let oldest = shelves.by_key.values().filter_map(|shelf| shelf.front()).map(|idle| idle.since).min();
        shelves.swept = oldest.is_some();
        oldest.map(|since| since + self.idle_timeout)
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that get too old, as long as there are any and the pool lives.
async fn sweep(pool: Weak<Pool>, mut next: Instant) {
    loop {
        sleep_until(next).await;
        let Some(pool) = pool.upgrade() else { return };
        match pool.close_old() {
            Some(later) => next = later,
            None => return,
        }
    }
}

/// A connection lent to one request. It goes back to the pool only by [`finish`](Self::finish);
/// otherwise, the request given up or its response not read to the end, it is closed.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) connection: Connection,
    pub(crate) key: Key,
    pub(crate) pool: Arc<Pool>,
}

impl Lease {
    /// The response was read to its end.
    pub(crate) fn finish(self) {
        // A response may come before the request is over; what is left of that cannot be taken back.
        if self.connection.activity().is_request_sent() {
            self.pool.keep(self.key, self.connection);
        }
    }
}
