//! Where a request would go.

use http::uri::Authority;
use serde::Serialize;
use towergate_core::{Balancing, Plan, Protocol, UpstreamHealth};
use towergate_router::Match;
use uuid::Uuid;

use super::{asked::Asked, named, upstream_path};

/// Where a request would go, as far as no plugin changes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownUpstream {
    /// The service.
    pub service: String,
    /// The upstream entity that the service's host names, if it names one.
    pub upstream: Option<String>,
    /// How one of its targets is chosen.
    pub algorithm: Option<String>,
    /// Where it may go: the targets of the upstream, or the service's own host.
    pub targets: Vec<ShownTarget>,
    /// The URL at the first of them that takes traffic.
    pub url: Option<String>,
    /// The `Host` header it would have there.
    pub host_header: Option<String>,
    /// How often a failed attempt is repeated.
    pub retries: u32,
}

/// One place where a request may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownTarget {
    /// Host and port.
    pub target: String,
    /// Its share of the traffic; 0 takes none.
    pub weight: u16,
    /// `HEALTHY`, `UNHEALTHY`, `DNS_ERROR`, or `HEALTHCHECKS_OFF`; unknown where no gateway runs.
    pub health: Option<&'static str>,
    /// The URL there.
    pub url: String,
    /// The `Host` header there.
    pub host_header: String,
}

pub(super) fn shown(
    plan: &Plan,
    found: &Match,
    asked: &Asked,
    health: &impl Fn(Uuid) -> Option<UpstreamHealth>,
) -> Option<ShownUpstream> {
    let service = plan.service.as_deref()?;
    let path = upstream_path(plan, found, &asked.path);
    let query = asked.query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
    let preserved = plan.route.as_ref().is_some_and(|route| route.preserve_host) && !asked.authority.is_empty();
    let place = |host: &str, port: u16, shown: Option<&str>| {
        let bracketed =
            if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
        let host_header = if preserved {
            asked.authority.clone()
        } else {
            host_header(shown.unwrap_or(&bracketed), port, service.protocol)
        };
        let url = format!("{}://{bracketed}:{port}{path}{query}", service.protocol.as_str());
        (format!("{bracketed}:{port}"), url, host_header)
    };
    let targets = match &service.balancing {
        Some(balancing) => of_upstream(balancing, health, place),
        None => {
            let (target, url, host_header) = place(&service.host, service.port, None);
            vec![ShownTarget { target, weight: 100, health: None, url, host_header }]
        }
    };
    let first = targets.iter().find(|target| target.weight > 0 && target.health != Some("UNHEALTHY"));
    Some(ShownUpstream {
        service: named(service.name.as_deref(), service.id),
        upstream: service.balancing.as_ref().map(|balancing| balancing.name.clone()),
        algorithm: service.balancing.as_ref().map(|balancing| algorithm(balancing)),
        url: first.map(|target| target.url.clone()),
        host_header: first.map(|target| target.host_header.clone()),
        retries: service.retries,
        targets,
    })
}

fn of_upstream(
    balancing: &Balancing,
    health: &impl Fn(Uuid) -> Option<UpstreamHealth>,
    place: impl Fn(&str, u16, Option<&str>) -> (String, String, String),
) -> Vec<ShownTarget> {
    let known = health(balancing.id);
    let targets = balancing.targets.iter().map(|one| {
        let (target, url, host_header) = place(&one.host, one.port, balancing.host_header.as_deref());
        let health = known.as_ref().and_then(|known| word(known, &one.host, one.port));
        ShownTarget { target, weight: one.weight, health, url, host_header }
    });
    targets.collect()
}

/// Kong's word for the health of a target.
fn word(health: &UpstreamHealth, host: &str, port: u16) -> Option<&'static str> {
    let target = health.targets.iter().find(|target| target.host == host && target.port == port)?;
    Some(match target.addresses.as_slice() {
        _ if target.weight == 0 => "HEALTHCHECKS_OFF",
        [] if target.is_looked_up => "DNS_ERROR",
        [] => return None,
        _ if !health.is_watched => "HEALTHCHECKS_OFF",
        addresses if addresses.iter().any(|address| address.is_healthy) => "HEALTHY",
        _ => "UNHEALTHY",
    })
}

fn algorithm(balancing: &Balancing) -> String {
    use towergate_core::Algorithm;
    match balancing.algorithm {
        Algorithm::RoundRobin => "round-robin",
        Algorithm::ConsistentHashing => "consistent-hashing",
        Algorithm::LeastConnections => "least-connections",
        Algorithm::Latency => "latency",
        Algorithm::PowerOfTwoChoices => "power-of-two-choices",
        Algorithm::StickySessions => "sticky-sessions",
    }
    .to_owned()
}

/// The port is left out if it is the protocol's own, or if the name brings one.
fn host_header(name: &str, port: u16, protocol: Protocol) -> String {
    let is_complete =
        port == protocol.default_port() || name.parse::<Authority>().is_ok_and(|authority| authority.port().is_some());
    if is_complete { name.to_owned() } else { format!("{name}:{port}") }
}
