//! What workers count, for `/status`.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::activity::Register;

/// What all workers have counted; may be read from any thread at any time.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    workers: Vec<Arc<Counters>>,
}

/// What one worker counts. Nobody else writes here, so counting costs it next to nothing.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) turned_away: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) register: Register,
}

impl Counters {
    /// Counts one more; answers how many there are now.
    pub(crate) fn count(counter: &AtomicU64) -> u64 {
        let count = counter.load(Relaxed).wrapping_add(1);
        counter.store(count, Relaxed);
        count
    }
}

/// The numbers at one moment, under the names that Admin `GET /status` has for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Connections accepted since the start.
    pub connections_accepted: u64,
    /// Connections handled since the start: all that were accepted but those a limit turned away.
    pub connections_handled: u64,
    /// Connections open now.
    pub connections_active: u64,
    /// Connections that are in the middle of a request's head.
    pub connections_reading: u64,
    /// Connections that a response is made for or sent to.
    pub connections_writing: u64,
    /// Connections open without a request.
    pub connections_waiting: u64,
    /// Requests since the start.
    pub total_requests: u64,
}

impl Stats {
    pub(crate) fn of(workers: Vec<Arc<Counters>>) -> Self {
        Self { workers }
    }

    /// The numbers now, all workers together.
    pub fn snapshot(&self) -> Snapshot {
        let mut sum = Snapshot::default();
        for worker in &self.workers {
            let [waiting, reading, writing] = worker.register.phases();
            let (accepted, turned_away) = (worker.accepted.load(Relaxed), worker.turned_away.load(Relaxed));
            sum.connections_accepted += accepted;
            sum.connections_handled += accepted.saturating_sub(turned_away);
            sum.total_requests += worker.requests.load(Relaxed);
            sum.connections_waiting += waiting;
            sum.connections_reading += reading;
            sum.connections_writing += writing;
        }
        sum.connections_active = sum.connections_waiting + sum.connections_reading + sum.connections_writing;
        sum
    }
}
