//! Upstream entities: several targets behind one name.

use std::time::Duration;

use http::HeaderName;
use uuid::Uuid;

use crate::route::KeyPair;

/// An upstream entity: several targets behind one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Balancing {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Replaces the target's name in `Host`.
    pub host_header: Option<String>,
    /// Whether the names that SRV records bring are the `Host`, instead of the target's.
    pub use_srv_name: bool,
    /// How a target is chosen.
    pub algorithm: Algorithm,
    /// What consistent hashing looks at.
    pub hash_on: HashInput,
    /// What it looks at when that is not there.
    pub hash_fallback: HashInput,
    /// How fine the ring of consistent hashing is.
    pub slots: u32,
    /// How the health of its targets is watched.
    pub health: HealthChecks,
    /// What Kong does not have.
    pub resilience: Resilience,
    /// The cookie of [`Algorithm::StickySessions`].
    pub sticky: Option<StickyCookie>,
    /// What probes over TLS show of us (`client_certificate`).
    pub identity: Option<KeyPair>,
    /// Its targets, in the order of configuration.
    pub targets: Vec<Target>,
}

impl Balancing {
    /// These targets by turns, their health not watched.
    pub fn new(id: Uuid, name: impl Into<String>, targets: Vec<Target>) -> Self {
        Self {
            id,
            name: name.into(),
            host_header: None,
            use_srv_name: false,
            algorithm: Algorithm::default(),
            hash_on: HashInput::default(),
            hash_fallback: HashInput::default(),
            slots: 10_000,
            health: HealthChecks::default(),
            resilience: Resilience::default(),
            sticky: None,
            identity: None,
            targets,
        }
    }
}

/// One target of an upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Host name or address (IPv6 without brackets).
    pub host: String,
    /// Port.
    pub port: u16,
    /// Its share of the traffic relative to its neighbours; 0 takes none.
    pub weight: u16,
}

/// How a target is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// By turns, as often as weights say.
    #[default]
    RoundRobin,
    /// The same one for the same key.
    ConsistentHashing,
    /// The one with the fewest requests for its weight.
    LeastConnections,
    /// The one that answers soonest.
    Latency,
    /// The one with fewer requests for its weight of two that are drawn.
    PowerOfTwoChoices,
    /// The one that the client's cookie names; clients without it are shared out by turns.
    StickySessions,
}

/// The cookie by which a client comes back to its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StickyCookie {
    /// Its name.
    pub name: String,
    /// The path it is for.
    pub path: String,
}

/// What consistent hashing takes its key from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HashInput {
    /// Nothing: all requests have the same key.
    #[default]
    None,
    /// The consumer, else the credential.
    Consumer,
    /// The client's address.
    Ip,
    /// The values of a header.
    Header(HeaderName),
    /// A cookie, which a client without it is given.
    Cookie {
        /// Its name.
        name: String,
        /// The path it is for.
        path: String,
    },
    /// The path, normalised.
    Path,
    /// The values of a query argument.
    QueryArg(String),
    /// A group of the route's regular expression, by name or number.
    UriCapture(String),
}

/// How the health of targets is watched. Nothing is by default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HealthChecks {
    /// By asking them.
    pub active: ActiveChecks,
    /// By what becomes of requests.
    pub passive: HealthRules,
    /// The upstream is used only while more than so many percent of its weights are healthy.
    pub threshold: f64,
}

/// How an upstream goes through bad times, beyond what Kong does. Nothing by default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resilience {
    /// After so long a target that requests have found unhealthy (passive health checks) gets requests
    /// again. `None` leaves it out until something else finds it well.
    pub readmit_after: Option<Duration>,
    /// Targets that fail more often than others are left out for a while.
    pub outliers: Option<OutlierEjection>,
    /// A target that is new or well again gets its whole share only after so long.
    pub slow_start: Option<Duration>,
    /// While less than so many percent of the weights are healthy, all targets get requests: a few could
    /// not bear the load of all. 0 never does.
    pub panic_threshold: f64,
    /// How many requests the upstream is given at the same time.
    pub limit: Option<RequestLimit>,
}

/// When a target is left out because of the share of its requests that fail: answers of 500 and more, broken
/// connections, timeouts.
#[derive(Debug, Clone, PartialEq)]
pub struct OutlierEjection {
    /// At least so many percent of them failed.
    pub error_percentage: f64,
    /// And there were at least so many.
    pub min_requests: u32,
    /// How far back they count.
    pub window: Duration,
    /// How long it is left out.
    pub ejection_time: Duration,
    /// At most so many percent of the upstream's addresses are left out at the same time.
    pub max_ejected_percentage: f64,
}

/// How many requests an upstream is given at the same time.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestLimit {
    /// So many, until their answers have ended.
    pub max_in_flight: u32,
    /// So many more wait for their turn.
    pub max_pending: u32,
    /// How long one waits at most.
    pub pending_timeout: Duration,
}

/// Watching targets by asking them.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveChecks {
    /// What they are asked by.
    pub probe: Probe,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How many are asked at the same time.
    pub concurrency: usize,
    /// How often a healthy one is asked; zero is never.
    pub healthy_interval: Duration,
    /// How often an unhealthy one is asked; zero is never.
    pub unhealthy_interval: Duration,
    /// What their answers mean.
    pub rules: HealthRules,
}

impl Default for ActiveChecks {
    fn default() -> Self {
        Self {
            probe: Probe::default(),
            timeout: Duration::from_secs(1),
            concurrency: 10,
            healthy_interval: Duration::ZERO,
            unhealthy_interval: Duration::ZERO,
            rules: HealthRules::default(),
        }
    }
}

/// What a target is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Over what.
    pub kind: ProbeKind,
    /// The path to ask for.
    pub path: String,
    /// Header lines to ask with.
    pub headers: Vec<(String, String)>,
    /// Who is to be there over TLS; without it, whom `Host` names.
    pub server_name: Option<String>,
    /// Whether its certificate is checked.
    pub verify: bool,
}

impl Default for Probe {
    fn default() -> Self {
        Self { kind: ProbeKind::default(), path: "/".into(), headers: Vec::new(), server_name: None, verify: true }
    }
}

/// Over what a target is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProbeKind {
    /// Whether it takes connections.
    Tcp,
    /// A request of HTTP.
    #[default]
    Http,
    /// The same over TLS.
    Https,
    /// Whether it speaks HTTP/2.
    Grpc,
    /// The same over TLS.
    Grpcs,
}

/// What counts as good and as bad, and how much of it changes a target's health; 0 never does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthRules {
    /// Statuses that are good.
    pub good_statuses: Vec<u16>,
    /// Statuses that are bad. Others do not count.
    pub bad_statuses: Vec<u16>,
    /// So many good answers make it healthy.
    pub successes: u8,
    /// So many bad statuses make it unhealthy.
    pub http_failures: u8,
    /// So many failed connections make it unhealthy.
    pub tcp_failures: u8,
    /// So many timeouts make it unhealthy.
    pub timeouts: u8,
}
