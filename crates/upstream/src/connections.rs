//! What the connections to upstreams are doing, for metrics.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

use crate::{
    error::{Error, Kind},
    http2,
    pool::Pool,
    proxy::Proxy,
    transport::{Key, Transport},
};

const CONNECT: &str = "towergate_upstream_connect_seconds";
const FAILURES: &str = "towergate_upstream_connect_failures_total";

/// What the connections of several [`Proxy`]s are doing; may be read from any thread at any time. Clones are one and the same.
#[derive(Clone, Default)]
pub struct ConnectionStats {
    pools: Arc<Mutex<Vec<Pools>>>,
}

/// The two pools of one proxy.
type Pools = (Weak<Pool>, Weak<http2::Pool>);

/// The connections of one protocol at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    /// Open, and kept for a request to come.
    pub idle: u64,
    /// Open, and carrying a request.
    pub active: u64,
    /// Opened since the start.
    pub opened: u64,
    /// Requests since the start that found a connection to go on.
    pub reused: u64,
    /// Requests since the start that found one which the upstream closed just then: they were sent once more.
    pub stale: u64,
}

/// The connections at one moment, by protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionSnapshot {
    /// To HTTP/1.1 upstreams; tunnels of WebSockets are active ones.
    pub http1: Connections,
    /// To HTTP/2 upstreams.
    pub http2: Connections,
}

impl ConnectionStats {
    /// Counts the connections of this proxy, too.
    pub fn follow(&self, proxy: &Proxy) {
        let worker = proxy.worker();
        let pools = (Arc::downgrade(&worker.pool), Arc::downgrade(&worker.http2));
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).push(pools);
    }

    /// The numbers now, all proxies together.
    pub fn snapshot(&self) -> ConnectionSnapshot {
        let mut sum = ConnectionSnapshot::default();
        for (http1, http2) in self.pools.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            sum.http1.add(http1.upgrade().map(|pool| pool.connections()));
            sum.http2.add(http2.upgrade().map(|pool| pool.connections()));
        }
        sum
    }
}

impl fmt::Debug for ConnectionStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionStats").field("snapshot", &self.snapshot()).finish()
    }
}

impl Connections {
    fn add(&mut self, more: Option<Self>) {
        let Some(more) = more else { return };
        self.idle = self.idle.saturating_add(more.idle);
        self.active = self.active.saturating_add(more.active);
        self.opened = self.opened.saturating_add(more.opened);
        self.reused = self.reused.saturating_add(more.reused);
        self.stale = self.stale.saturating_add(more.stale);
    }
}

/// Opens connections for one pool, and counts them.
pub(crate) struct Dialler {
    protocol: &'static str,
    opened: AtomicU64,
    closed: AtomicU64,
    waits: Histogram,
    /// In the order of [`REASONS`].
    failures: [Counter; 4],
}

/// Why no connection could be made, in a word each.
const REASONS: [&str; 4] = ["connect", "timeout", "tls", "tls_timeout"];

impl Dialler {
    pub(crate) fn new(protocol: &'static str) -> Arc<Self> {
        describe_histogram!(CONNECT, Unit::Seconds, "How long connecting to upstreams took, TLS included");
        describe_counter!(FAILURES, "Connections to upstreams that could not be made");
        let waits = histogram!(CONNECT, "protocol" => protocol);
        // All of them from now on, so that the first failure is seen as one more than none.
        let failures = REASONS.map(|reason| counter!(FAILURES, "protocol" => protocol, "reason" => reason));
        Arc::new(Self { protocol, opened: AtomicU64::new(0), closed: AtomicU64::new(0), waits, failures })
    }

    /// Connects within the time given; a handshake has as long once more.
    pub(crate) async fn dial(self: &Arc<Self>, key: &Key, limit: Duration) -> Result<Transport, Error> {
        let began = Instant::now();
        match Transport::dial(key, limit).await {
            Ok(transport) => {
                self.opened.fetch_add(1, Relaxed);
                self.waits.record(began.elapsed());
                Ok(transport.counted(Counted(self.clone())))
            }
            Err(error) => {
                self.failed(error.kind());
                Err(error)
            }
        }
    }

    fn failed(&self, kind: &Kind) {
        let [connect, timeout, tls, tls_timeout] = &self.failures;
        let counter = match kind {
            Kind::ConnectTimeout(..) => timeout,
            Kind::Handshake(_) => tls,
            Kind::HandshakeTimeout(..) => tls_timeout,
            _ => connect,
        };
        counter.increment(1);
    }

    /// The connections that were opened here, so many of which are idle.
    pub(crate) fn connections(&self, idle: u64, reused: u64, stale: u64) -> Connections {
        // The closed ones first, so that none is seen to close that was not opened.
        let closed = self.closed.load(Relaxed);
        let opened = self.opened.load(Relaxed);
        let active = opened.saturating_sub(closed).saturating_sub(idle);
        Connections { idle, active, opened, reused, stale }
    }
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialler").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// Counts its connection as open until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Dialler>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Relaxed);
    }
}
