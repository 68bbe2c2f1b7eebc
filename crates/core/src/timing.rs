//! When things happened to a request.

use std::{
    sync::OnceLock,
    time::{Duration, Instant, SystemTime},
};

/// The instants of one request, each written once.
#[derive(Debug)]
pub struct Timing {
    started: Instant,
    started_at: SystemTime,
    routed: OnceLock<Instant>,
    sent: OnceLock<Instant>,
    answered: OnceLock<Instant>,
}

impl Timing {
    /// A request whose head was read just now.
    pub fn start() -> Self {
        Self::at(Instant::now(), SystemTime::now())
    }

    /// A request whose head was read at these readings of the two clocks.
    pub fn at(started: Instant, started_at: SystemTime) -> Self {
        Self { started, started_at, routed: OnceLock::new(), sent: OnceLock::new(), answered: OnceLock::new() }
    }

    /// When its head had been read.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The same moment on the wall clock.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// Marks that the route is known; the first mark counts.
    pub fn mark_routed(&self, now: Instant) {
        let _ = self.routed.set(now);
    }

    /// When the route was known; `None` if no plugin of its plan [wants to know](crate::Plugin::RECORDS_SPANS).
    pub fn routed(&self) -> Option<Instant> {
        self.routed.get().copied()
    }

    /// Marks that the gateway's own part is over and the request goes upstream; the first mark counts.
    pub fn mark_sent(&self, now: Instant) {
        let _ = self.sent.set(now);
    }

    /// Marks that the head of the upstream's response has arrived; the first mark counts.
    pub fn mark_answered(&self, now: Instant) {
        let _ = self.answered.set(now);
    }

    /// From the start until the request went upstream (`X-Kong-Proxy-Latency`); `None` if it never did.
    pub fn proxy_latency(&self) -> Option<Duration> {
        self.sent.get().map(|sent| sent.saturating_duration_since(self.started))
    }

    /// From sending until the response's head (`X-Kong-Upstream-Latency`); `None` without a response.
    pub fn upstream_latency(&self) -> Option<Duration> {
        let (sent, answered) = (self.sent.get()?, self.answered.get()?);
        Some(answered.saturating_duration_since(*sent))
    }
}
