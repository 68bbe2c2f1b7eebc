//! Counting in memory, and exchanging with Redis what was counted every so often.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use futures_util::future::join_all;

use super::{
    client::RedisClient,
    script::{self, Call},
};
use crate::{
    backend::Naming,
    local::Local,
    store::{Count, Counted, Counting, Store, StoreError, milliseconds},
    window::Cell,
};

/// A power of two: how many threads may note at the same time.
const SHARDS: usize = 64;

/// So many counters are exchanged at a time.
const AT_ONCE: usize = 128;

/// Counts in memory; what was counted is exchanged with Redis every so often.
///
/// A request waits for nothing. Between two exchanges a node does not know what the others count: all
/// together may let through more than the limit, by as much as the others count in that time.
pub(crate) struct Synced {
    local: Local,
    client: Arc<RedisClient>,
    naming: Naming,
    shards: Vec<Mutex<HashMap<Mark, Note>>>,
    failed: AtomicBool,
}

/// A counter: a key, a window and its beginning.
type Mark = ([u64; 2], u64, u64);

/// What is known of a counter that others count in, too.
struct Note {
    key: Vec<u8>,
    cell: Cell,
    /// What this node has counted since the last exchange.
    pending: i64,
    /// What all had counted at the last exchange.
    total: i64,
}

impl Synced {
    /// Nothing counted yet.
    pub(crate) fn new(client: Arc<RedisClient>, naming: Naming) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { local: Local::new(), client, naming, shards, failed: AtomicBool::new(false) }
    }

    /// Whether the last exchange failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Checks and counts.
    pub(crate) fn count(&self, count: Count<'_>) -> Counted {
        let fingerprint = count.identifier.fingerprint(self.local.key());
        let mut cells = count.cells.clone();
        let admitted = self.local.count_cells(fingerprint, &mut cells, count.penalty, count.now);
        if admitted || count.penalty {
            self.note(fingerprint, &count);
        }
        Counted { admitted, cells }
    }

    /// Notes what is to be told to Redis.
    fn note(&self, fingerprint: [u64; 2], count: &Count<'_>) {
        let mut notes = self.shard(fingerprint);
        for (window, cell) in count.windows.iter().zip(&count.cells).filter(|(_, cell)| cell.cost != 0) {
            match notes.entry((fingerprint, cell.id, cell.start)) {
                Entry::Occupied(mut note) => {
                    let pending = &mut note.get_mut().pending;
                    *pending = pending.saturating_add(cell.cost);
                }
                Entry::Vacant(place) => {
                    let key = self.naming.key(&self.naming.subject(&count.identifier), cell.start, &window.label);
                    place.insert(Note { key, cell: *cell, pending: cell.cost, total: 0 });
                }
            }
        }
    }

    fn shard(&self, fingerprint: [u64; 2]) -> MutexGuard<'_, HashMap<Mark, Note>> {
        let place = fingerprint[1] as usize % SHARDS;
        #[expect(clippy::indexing_slicing, reason = "there are SHARDS shards")]
        lock(&self.shards[place])
    }

    /// Exchanges every so often, for ever.
    pub(crate) async fn keep_exchanging(self: Arc<Self>, rate: Duration) {
        loop {
            tokio::time::sleep(rate).await;
            self.exchange(milliseconds(SystemTime::now())).await;
        }
    }

    /// Tells Redis what was counted here, and learns what was counted elsewhere.
    pub(crate) async fn exchange(&self, now: u64) {
        let pending = self.take_pending(now);
        let mut failed = false;
        for some in pending.chunks(AT_ONCE) {
            let told = join_all(some.iter().map(|(mark, call, more)| self.tell(*mark, call, *more)));
            failed |= told.await.iter().any(Result::is_err);
        }
        self.failed.store(failed, Ordering::Relaxed);
        self.local.sweep(now);
    }

    /// What is to be told, as calls; notes that nobody needs any more go.
    fn take_pending(&self, now: u64) -> Vec<(Mark, Call, i64)> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            lock(shard).retain(|mark, note| {
                let more = std::mem::take(&mut note.pending);
                let needed = note.cell.expires() > now;
                if more != 0 && needed {
                    taken.push((*mark, Call::add(note.key.clone(), &note.cell, more, now), more));
                }
                needed
            });
        }
        taken
    }

    async fn tell(&self, mark: Mark, call: &Call, more: i64) -> Result<(), StoreError> {
        let answer = self.client.worker().call(call).await.and_then(script::total);
        let mut notes = self.shard(mark.0);
        let Some(note) = notes.get_mut(&mark) else { return answer.map(drop) };
        match answer {
            Ok(total) => {
                let elsewhere = total.saturating_sub(note.total).saturating_sub(more);
                note.total = total;
                self.local.learn(mark.0, &note.cell, elsewhere);
                Ok(())
            }
            Err(error) => {
                note.pending = note.pending.saturating_add(more);
                Err(error)
            }
        }
    }
}

fn lock(shard: &Mutex<HashMap<Mark, Note>>) -> MutexGuard<'_, HashMap<Mark, Note>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// [`Synced`] as a store that answers in spite of Redis, or does not.
#[derive(Debug)]
pub(crate) struct SyncedStore {
    pub(crate) synced: Arc<Synced>,
    /// Whether nothing is answered after an exchange has failed.
    pub(crate) strict: bool,
}

impl Store for SyncedStore {
    fn count(&self, count: Count<'_>) -> Counting {
        if self.strict && self.synced.has_failed() {
            return Counting::Done(Err(StoreError::new("the last exchange failed")));
        }
        Counting::Done(Ok(self.synced.count(count)))
    }
}

impl fmt::Debug for Synced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Synced").field("local", &self.local).finish_non_exhaustive()
    }
}
