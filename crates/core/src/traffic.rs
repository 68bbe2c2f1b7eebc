//! How many bytes a request and its response took.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// How many bytes of a request and its response went over the client's connection, as its server
/// counts them.
///
/// Counting costs a little, so it is only done if somebody [asks](Self::ask) before the request
/// goes on. Embedded in a service of one's own nobody counts.
#[derive(Debug, Default)]
pub struct Traffic {
    is_asked: AtomicBool,
    received: OnceLock<Arc<AtomicU64>>,
    sent: AtomicU64,
    head: AtomicU64,
    tunnel: OnceLock<Tunnelled>,
}

/// What passes through a tunnel that a request has become, in bytes.
#[derive(Debug, Clone, Default)]
pub struct Tunnelled {
    /// From the client.
    pub up: Arc<AtomicU64>,
    /// To the client.
    pub down: Arc<AtomicU64>,
}

impl Traffic {
    /// Asks the server to count what it sends.
    pub fn ask(&self) {
        self.is_asked.store(true, Relaxed);
    }

    /// Whether somebody wants to know what is sent.
    pub fn is_asked(&self) -> bool {
        self.is_asked.load(Relaxed)
    }

    /// Where the bytes of the request's body are counted while they come; the first one counts. Only
    /// of use for a body whose length is not known from its head.
    pub fn receive_by(&self, counter: Arc<AtomicU64>) {
        let _ = self.received.set(counter);
    }

    /// Where a tunnel counts, which the request becomes now (a WebSocket); `None` if nobody wants to know.
    pub fn tunnel(&self) -> Option<Tunnelled> {
        self.is_asked().then(|| self.tunnel.get_or_init(Tunnelled::default).clone())
    }

    /// The bytes of the request's body so far, or of what came through its tunnel; `None` if nobody
    /// counts, as for a body that was there with its head.
    pub fn received(&self) -> Option<u64> {
        let tunnelled = self.tunnel.get().map(|tunnel| &tunnel.up);
        self.received.get().or(tunnelled).map(|counter| counter.load(Relaxed))
    }

    /// Counts the bytes of the response's head as it is written.
    pub fn add_head(&self, bytes: u64) {
        self.head.fetch_add(bytes, Relaxed);
    }

    /// Counts bytes of the body that are sent.
    pub fn add_sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Relaxed);
    }

    /// The bytes of the response so far, its head and what its tunnel carried among them; 0 if nobody counts.
    pub fn sent(&self) -> u64 {
        self.head.load(Relaxed).saturating_add(self.body_sent())
    }

    /// The bytes of the response's body so far, or of what came back through its tunnel.
    pub fn body_sent(&self) -> u64 {
        let tunnelled = self.tunnel.get().map_or(0, |tunnel| tunnel.down.load(Relaxed));
        self.sent.load(Relaxed).saturating_add(tunnelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_adds_up() {
        let traffic = Traffic::default();
        assert!(!traffic.is_asked());
        traffic.ask();
        assert!(traffic.is_asked());
        traffic.add_head(100);
        traffic.add_sent(20);
        assert_eq!((traffic.received(), traffic.sent()), (None, 120));
        assert_eq!(traffic.body_sent(), 20);
        let counter = Arc::new(AtomicU64::new(7));
        traffic.receive_by(counter.clone());
        counter.store(9, Relaxed);
        assert_eq!(traffic.received(), Some(9));
    }

    #[test]
    fn what_a_tunnel_carries_is_counted_for_those_who_ask() {
        let traffic = Traffic::default();
        assert!(traffic.tunnel().is_none());
        traffic.ask();
        let tunnel = traffic.tunnel().unwrap();
        traffic.add_sent(100);
        tunnel.up.store(5, Relaxed);
        tunnel.down.store(7, Relaxed);
        assert_eq!((traffic.received(), traffic.sent()), (Some(5), 107));
    }
}
