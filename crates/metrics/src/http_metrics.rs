//! What is counted of a service of one's own.

use std::{
    cell::Cell as ThreadCell,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use hashbrown::HashMap;
use http::{Method, StatusCode};

use crate::{
    exposition::{Exposition, Kind, label_text},
    family::{Cell, Counter, Family, each},
    histogram::{Bounds, Histogram, Unit},
    registry::OVERFLOW,
};

/// The buckets that Prometheus' own libraries have.
const BOUNDS: Bounds = &[
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// The classes of statuses, 1xx first; the last one is what has no status: nobody waited for it, or the
/// service failed.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

/// What [`MetricsLayer`](crate::MetricsLayer)s have counted, to be shown to Prometheus. Clones are one
/// and the same.
#[derive(Clone)]
pub struct HttpMetrics {
    counts: Arc<Counts>,
}

struct Counts {
    families: Mutex<Families>,
    /// Threads count each for itself, so that they do not wait for each other.
    shards: Box<[Shard]>,
    most: usize,
}

type FamilyOf<C> = fn(&mut Families) -> &mut Family<C>;

#[derive(Default)]
struct Families {
    requests: Family<Counter>,
    durations: Family<Histogram>,
    received: Family<Counter>,
    sent: Family<Counter>,
}

/// What is counted by: for each route its methods.
type Routes = HashMap<Box<str>, Vec<(Method, Arc<Handles>)>>;

/// Two of them never share a cache line.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    routes: Mutex<Routes>,
    /// Requests that began here, and requests that ended here, wherever they began.
    begun: AtomicU64,
    ended: AtomicU64,
}

/// What one shard counts of one route and method.
pub(crate) struct Handles {
    requests: [Arc<Counter>; 6],
    duration: Arc<Histogram>,
    received: Arc<Counter>,
    sent: Arc<Counter>,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HttpMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpMetrics").field("shards", &self.counts.shards.len()).finish_non_exhaustive()
    }
}

impl HttpMetrics {
    /// Room for 1,000 routes; those that come after them are counted as `route="overflow"`.
    pub fn new() -> Self {
        Self::with_limit(1_000)
    }

    /// Room for so many routes.
    pub fn with_limit(routes: usize) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let shards = (0..threads).map(|_| Shard::default()).collect();
        Self { counts: Arc::new(Counts { families: Mutex::default(), shards, most: routes }) }
    }

    /// Writes all metrics that something was counted for. Nobody who counts waits for it longer than it
    /// takes to add up a few numbers.
    pub fn write(&self, out: &mut Exposition) {
        let help = "Requests by route, method and class of status";
        self.write_counter(out, "http_requests_total", help, |families| &mut families.requests);
        let name = "http_request_duration_seconds";
        let durations: FamilyOf<Histogram> = |families| &mut families.durations;
        if durations(&mut lock(&self.counts.families)).len() > 0 {
            out.family(name, Kind::Histogram, "From a request's head until its response was sent");
            self.each(durations, |labels, sum| sum.write(out, name, labels, Unit::Seconds));
        }
        let help = "Bytes of requests' bodies, where known from their heads";
        self.write_counter(out, "http_request_body_bytes_total", help, |families| &mut families.received);
        let help = "Bytes of responses' bodies";
        self.write_counter(out, "http_response_body_bytes_total", help, |families| &mut families.sent);
        let sum = |count: fn(&Shard) -> &AtomicU64| -> u64 {
            self.counts.shards.iter().map(|shard| count(shard).load(Relaxed)).fold(0, u64::wrapping_add)
        };
        // The ended ones first, so that none is seen to end that did not begin.
        let ended = sum(|shard| &shard.ended);
        let in_flight = sum(|shard| &shard.begun).saturating_sub(ended);
        out.family("http_requests_in_flight", Kind::Gauge, "Requests that are being answered");
        out.sample("http_requests_in_flight", &[], in_flight);
    }

    fn write_counter(&self, out: &mut Exposition, name: &str, help: &str, family: FamilyOf<Counter>) {
        if family(&mut lock(&self.counts.families)).len() > 0 {
            out.family(name, Kind::Counter, help);
            self.each(family, |labels, sum| out.line(name, labels, sum.into_inner()));
        }
    }

    fn each<C: Cell>(&self, family: FamilyOf<C>, see: impl FnMut(&str, C)) {
        each(|last| family(&mut lock(&self.counts.families)).after(last, false), see);
    }

    /// The metrics as a page.
    pub fn page(&self) -> String {
        let mut out = Exposition::default();
        self.write(&mut out);
        out.into_text()
    }

    /// A request begins; answers what it is counted by.
    pub(crate) fn begin(&self, route: &str, method: &Method) -> Arc<Handles> {
        let Some(shard) = self.shard() else { return self.handles(route, method) };
        shard.begun.fetch_add(1, Relaxed);
        let mut routes = lock(&shard.routes);
        if let Some(handles) = find(&routes, route, method) {
            return handles;
        }
        let route = if routes.contains_key(route) || routes.len() < self.counts.most { route } else { OVERFLOW };
        let method = known(method);
        find(&routes, route, &method).unwrap_or_else(|| {
            let handles = self.handles(route, &method);
            routes.entry(route.into()).or_default().push((method, handles.clone()));
            handles
        })
    }

    /// A request is over.
    pub(crate) fn end(&self, handles: &Handles, status: Option<StatusCode>, took: Duration, received: u64, sent: u64) {
        if let Some(shard) = self.shard() {
            shard.ended.fetch_add(1, Relaxed);
        }
        let class = status.map_or(CLASSES.len(), |status| usize::from(status.as_u16() / 100)).saturating_sub(1);
        if let Some(counter) = handles.requests.get(class.min(CLASSES.len() - 1)) {
            counter.fetch_add(1, Relaxed);
        }
        handles.duration.observe(took, None);
        handles.received.fetch_add(received, Relaxed);
        handles.sent.fetch_add(sent, Relaxed);
    }

    fn handles(&self, route: &str, method: &Method) -> Arc<Handles> {
        let labels = label_text([("route", route), ("method", method.as_str())]);
        let mut families = lock(&self.counts.families);
        Arc::new(Handles {
            requests: CLASSES.map(|class| {
                let labels = format!("{labels},status=\"{class}\"");
                families.requests.join(labels, Counter::new(0))
            }),
            duration: families.durations.join(labels.clone(), Histogram::new(BOUNDS)),
            received: families.received.join(labels.clone(), Counter::new(0)),
            sent: families.sent.join(labels, Counter::new(0)),
        })
    }

    fn shard(&self) -> Option<&Shard> {
        let number = THREAD.with(ThreadCell::get);
        self.counts.shards.get(number.checked_rem(self.counts.shards.len())?)
    }
}

fn find(routes: &Routes, route: &str, method: &Method) -> Option<Arc<Handles>> {
    routes.get(route)?.iter().find(|(known, _)| known == method).map(|(_, handles)| handles.clone())
}

/// The methods of RFC 9110 and PATCH; what clients make up is one.
fn known(method: &Method) -> Method {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::CONNECT,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ];
    if known.contains(method) { method.clone() } else { Method::from_bytes(b"other").unwrap_or_default() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Which thread this is, of those that have counted something.
    static THREAD: ThreadCell<usize> = ThreadCell::new(THREADS.fetch_add(1, Relaxed));
}
