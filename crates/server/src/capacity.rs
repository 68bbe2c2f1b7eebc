//! What becomes of a new connection when a worker has almost as many as it may.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{stats::Counters, worker::Worker};

/// How often idle connections are asked to go; the look at all of them costs something.
const ROOM: Duration = Duration::from_millis(100);

/// How often it is told that connections are turned away.
const TELL: Duration = Duration::from_secs(1);

/// How many idle connections are asked to go at once; as many as in nginx.
const IDLE: usize = 32;

/// The room left for connections, as one listening socket sees it.
#[derive(Debug, Default)]
pub(crate) struct Capacity {
    made_room: Option<Instant>,
    told: Option<Instant>,
    turned_away: u64,
}

impl Capacity {
    /// Whether one more connection may be served. As in nginx, connections between two requests give way when little
    /// room is left; when none is, the new one is closed.
    pub(crate) fn admits(&mut self, worker: &Worker, listening: Option<SocketAddr>) -> bool {
        let limit = worker.config.limits.connections;
        let open = worker.counters.register.len();
        if open < limit.saturating_sub(limit / 16) {
            return true;
        }
        let now = Instant::now();
        self.make_room(worker, now);
        if open < limit {
            return true;
        }
        Counters::count(&worker.counters.accepted);
        Counters::count(&worker.counters.turned_away);
        self.tell(listening, limit, now);
        false
    }

    /// Asks some idle connections to go.
    pub(crate) fn make_room(&mut self, worker: &Worker, now: Instant) {
        if is_due(self.made_room, ROOM, now) {
            self.made_room = Some(now);
            worker.counters.register.retire_idle(IDLE);
        }
    }

    fn tell(&mut self, listening: Option<SocketAddr>, limit: usize, now: Instant) {
        self.turned_away = self.turned_away.saturating_add(1);
        if is_due(self.told, TELL, now) {
            tracing::error!(
                ?listening,
                limit,
                turned_away = self.turned_away,
                "Connections are turned away: a worker has as many as nginx_events_worker_connections allows"
            );
            self.told = Some(now);
            self.turned_away = 0;
        }
    }
}

fn is_due(last: Option<Instant>, pause: Duration, now: Instant) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_due_at_first_and_after_its_pause() {
        let now = Instant::now();
        assert!(is_due(None, TELL, now));
        assert!(!is_due(Some(now), TELL, now + Duration::from_millis(999)));
        assert!(is_due(Some(now), TELL, now + TELL));
    }
}
