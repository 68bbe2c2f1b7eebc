//! Which connection a request goes on, and when a new one is made.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::OnceCell,
    time::{Instant, sleep_until},
};

use super::{
    Patience,
    connection::{Claim, Connection},
};
use crate::{
    connections::{Connections, Dialler},
    error::{Error, Kind},
    settings::ProxySettings,
    transport::Key,
};

/// How many new connections one request waits for: their streams may be given to others, or the
/// upstream may send each of them away at once.
const OPENED: usize = 3;

/// The connections of one worker, by what they are made to. Requests share the oldest that has
/// room; a further one is made when none has.
#[derive(Debug)]
pub(crate) struct Pool {
    shelves: Mutex<Shelves>,
    dialler: Arc<Dialler>,
    kept: bool,
    max_requests: u64,
    idle_timeout: Duration,
}

#[derive(Debug, Default)]
struct Shelves {
    by_key: HashMap<Key, Shelf>,
    /// Whether a task closes what is idle for too long.
    swept: bool,
    /// How many streams found a connection to go on.
    reused: u64,
}

/// The connections to one place.
#[derive(Debug, Default)]
struct Shelf {
    connections: Vec<Connection>,
    /// A connection being made, for all who wait for one.
    opening: Option<Arc<Opening>>,
}

/// The making of a connection, and how it ended.
type Opening = OnceCell<Result<(), Error>>;

impl Pool {
    pub(crate) fn new(settings: &ProxySettings) -> Self {
        Self {
            shelves: Mutex::default(),
            dialler: Dialler::new("http2"),
            kept: settings.pool_size > 0,
            max_requests: settings.max_requests,
            idle_timeout: settings.idle_timeout,
        }
    }

    /// Room for a stream on a connection of this kind.
    pub(crate) async fn claim(self: &Arc<Self>, key: &Key, patience: Patience) -> Result<Claim, Error> {
        if !self.kept {
            return self.connect(key, patience).await?.claim().ok_or_else(|| Error::new(Kind::Closed).unsent());
        }
        for turn in 0..OPENED {
            let opening = match self.claim_kept(key, turn == 0) {
                Ok(claim) => return Ok(claim),
                Err(opening) => opening,
            };
            let opened = opening.get_or_init(|| self.open(key, patience)).await;
            self.opened(key, &opening);
            if let Err(error) = opened {
                // All who waited are told the same.
                return Err(error.again());
            }
        }
        self.claim_kept(key, false)
            .map_err(|_| Error::new(Kind::Closed).because("its connections take no requests").unsent())
    }

    /// Room on a connection that is there, or else the making of a new one.
    fn claim_kept(&self, key: &Key, counts: bool) -> Result<Claim, Arc<Opening>> {
        let mut shelves = self.lock();
        let claim = shelves.by_key.entry(key.clone()).or_default().claim(self.max_requests)?;
        shelves.reused = shelves.reused.saturating_add(u64::from(counts));
        Ok(claim)
    }

    async fn connect(&self, key: &Key, patience: Patience) -> Result<Connection, Error> {
        let transport = self.dialler.dial(key, patience.connect).await?;
        Connection::open(transport, key.address, patience).await
    }

    async fn open(self: &Arc<Self>, key: &Key, patience: Patience) -> Result<(), Error> {
        let connection = self.connect(key, patience).await?;
        let mut shelves = self.lock();
        shelves.by_key.entry(key.clone()).or_default().connections.push(connection);
        if !shelves.swept && !self.idle_timeout.is_zero() {
            shelves.swept = true;
            tokio::spawn(sweep(Arc::downgrade(self), Instant::now() + self.idle_timeout));
        }
        Ok(())
    }

    /// Whoever finds no room from now on makes another connection.
    fn opened(&self, key: &Key, ended: &Arc<Opening>) {
        if let Some(shelf) = self.lock().by_key.get_mut(key)
            && shelf.opening.as_ref().is_some_and(|opening| Arc::ptr_eq(opening, ended))
        {
            shelf.opening = None;
        }
    }

    /// Closes what is idle for too long or of no more use; when to look again, if anything is left.
    fn close_idle(&self) -> Option<Instant> {
        let mut shelves = self.lock();
        let now = Instant::now();
        let mut next: Option<Instant> = None;
        for shelf in shelves.by_key.values_mut() {
            shelf.connections.retain_mut(|connection| {
                let end = connection.idle_since().unwrap_or(now) + self.idle_timeout;
                let stays = end > now && connection.is_open(self.max_requests);
                if stays {
                    next = Some(next.map_or(end, |next| next.min(end)));
                }
                stays
            });
        }
        shelves.by_key.retain(|_, shelf| !shelf.connections.is_empty() || shelf.opening.is_some());
        shelves.swept = next.is_some();
        next
    }

    /// What its connections are doing.
    pub(crate) fn connections(&self) -> Connections {
        let shelves = self.lock();
        let connections = shelves.by_key.values().flat_map(|shelf| &shelf.connections);
        let idle = connections.filter(|connection| connection.idle_since().is_some()).count();
        self.dialler.connections(u64::try_from(idle).unwrap_or(u64::MAX), shelves.reused, 0)
    }

    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// Room on one of the connections, or else the making of a new one.
    fn claim(&mut self, max_requests: u64) -> Result<Claim, Arc<Opening>> {
        self.connections.retain_mut(|connection| connection.is_open(max_requests));
        match self.connections.iter().find_map(Connection::claim) {
            Some(claim) => Ok(claim),
            None => Err(self.opening.get_or_insert_default().clone()),
        }
    }
}

/// Closes idle connections, as long as there are any and the pool lives.
async fn sweep(pool: Weak<Pool>, mut next: Instant) {
    loop {
        sleep_until(next).await;
        let Some(pool) = pool.upgrade() else { return };
        match pool.close_idle() {
            Some(later) => next = later,
            None => return,
        }
    }
}
