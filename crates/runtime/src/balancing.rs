//! From upstreams and targets as written to what requests are shared out by.

use std::time::Duration;

use towergate_config::entities::{self, Active, HashOn, Healthchecks, Passive, ProbeType, Upstream};
use towergate_core::{
    ActiveChecks, Algorithm, Balancing, HashInput, HealthChecks, HealthRules, KeyPair, OutlierEjection, Probe,
    ProbeKind, RequestLimit, Resilience, StickyCookie, Target,
};

/// What Kong falls back to where an entity says `null`.
const SLOTS: u32 = 10_000;
const WEIGHT: u16 = 100;
const PROBE_TIMEOUT: f64 = 1.0;
const PROBE_CONCURRENCY: u64 = 10;
const PENDING_TIMEOUT: f64 = 1.0;

/// An upstream with its targets, and what it shows of us.
pub(crate) fn of(upstream: &Upstream, targets: Vec<Target>, identity: Option<KeyPair>) -> Balancing {
    let header = (upstream.hash_on_header.as_deref(), upstream.hash_fallback_header.as_deref());
    let query_arg = (upstream.hash_on_query_arg.as_deref(), upstream.hash_fallback_query_arg.as_deref());
    let capture = (upstream.hash_on_uri_capture.as_deref(), upstream.hash_fallback_uri_capture.as_deref());
    let on = |on| input(upstream, on, header.0, query_arg.0, capture.0);
    let fallback = |on| input(upstream, on, header.1, query_arg.1, capture.1);
    Balancing {
        id: upstream.id,
        name: upstream.name.clone(),
        host_header: upstream.host_header.clone(),
        use_srv_name: upstream.use_srv_name.unwrap_or(false),
        algorithm: upstream.algorithm.map(algorithm).unwrap_or_default(),
        hash_on: upstream.hash_on.map(on).unwrap_or_default(),
        hash_fallback: upstream.hash_fallback.map(fallback).unwrap_or_default(),
        slots: upstream.slots.unwrap_or(SLOTS),
        health: health(&upstream.healthchecks),
        resilience: upstream.resilience.as_ref().map(resilience).unwrap_or_default(),
        sticky: upstream.sticky_sessions_cookie.clone().map(|name| StickyCookie {
            name,
            path: upstream.sticky_sessions_cookie_path.clone().unwrap_or_else(|| "/".into()),
        }),
        identity,
        targets,
    }
}

/// A target, taken apart. It was normalised to `host:port` when the configuration was read.
pub(crate) fn target(entity: &entities::Target) -> Option<Target> {
    let (host, port) = entity.target.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Target { host, port: port.parse().ok()?, weight: entity.weight.unwrap_or(WEIGHT) })
}

fn algorithm(algorithm: entities::Algorithm) -> Algorithm {
    match algorithm {
        entities::Algorithm::ConsistentHashing => Algorithm::ConsistentHashing,
        entities::Algorithm::LeastConnections => Algorithm::LeastConnections,
        entities::Algorithm::RoundRobin => Algorithm::RoundRobin,
        entities::Algorithm::Latency => Algorithm::Latency,
        entities::Algorithm::StickySessions => Algorithm::StickySessions,
        entities::Algorithm::PowerOfTwoChoices => Algorithm::PowerOfTwoChoices,
    }
}

/// What is hashed. Names that are missing were refused when the configuration was read.
fn input(
    upstream: &Upstream,
    on: HashOn,
    header: Option<&str>,
    query_arg: Option<&str>,
    capture: Option<&str>,
) -> HashInput {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    match on {
        HashOn::None => HashInput::None,
        HashOn::Consumer => HashInput::Consumer,
        HashOn::Ip => HashInput::Ip,
        HashOn::Header => header.and_then(|name| name.parse().ok()).map_or(HashInput::None, HashInput::Header),
        HashOn::Cookie => HashInput::Cookie {
            name: text(upstream.hash_on_cookie.as_deref()),
            path: upstream.hash_on_cookie_path.clone().unwrap_or_else(|| "/".into()),
        },
        HashOn::Path => HashInput::Path,
        HashOn::QueryArg => HashInput::QueryArg(text(query_arg)),
        HashOn::UriCapture => HashInput::UriCapture(text(capture)),
    }
}

fn resilience(written: &entities::Resilience) -> Resilience {
    let outliers = written.outlier_ejection.as_ref().map(|outliers| OutlierEjection {
        error_percentage: outliers.error_percentage,
        min_requests: outliers.min_requests,
        window: seconds(outliers.window),
        ejection_time: seconds(outliers.ejection_time),
        max_ejected_percentage: outliers.max_ejected_percentage,
    });
    let limit = written.max_in_flight.map(|max_in_flight| RequestLimit {
        max_in_flight,
        max_pending: written.max_pending.unwrap_or(0),
        pending_timeout: seconds(written.pending_timeout.unwrap_or(PENDING_TIMEOUT)),
    });
    Resilience {
        readmit_after: written.readmit_after.map(seconds),
        outliers,
        slow_start: written.slow_start.map(seconds),
        panic_threshold: written.panic_threshold.unwrap_or(0.0),
        limit,
    }
}

fn health(checks: &Healthchecks) -> HealthChecks {
    HealthChecks {
        active: active(&checks.active),
        passive: passive(&checks.passive),
        threshold: checks.threshold.unwrap_or(0.0),
    }
}

fn active(checks: &Active) -> ActiveChecks {
    let (healthy, unhealthy) = (&checks.healthy, &checks.unhealthy);
    let headers = checks.headers.iter().flatten();
    ActiveChecks {
        probe: Probe {
            kind: checks.kind.map(kind).unwrap_or_default(),
            path: checks.http_path.clone().unwrap_or_else(|| "/".into()),
            headers: headers.flat_map(|(name, values)| values.iter().map(|v| (name.clone(), v.clone()))).collect(),
            server_name: checks.https_sni.clone(),
            verify: checks.https_verify_certificate,
        },
        timeout: seconds(checks.timeout.unwrap_or(PROBE_TIMEOUT)),
        concurrency: usize::try_from(checks.concurrency.unwrap_or(PROBE_CONCURRENCY)).unwrap_or(usize::MAX),
        healthy_interval: seconds(healthy.interval.unwrap_or(0.0)),
        unhealthy_interval: seconds(unhealthy.interval.unwrap_or(0.0)),
        rules: HealthRules {
            good_statuses: healthy.http_statuses.clone().unwrap_or_default(),
            bad_statuses: unhealthy.http_statuses.clone().unwrap_or_default(),
            successes: healthy.successes.unwrap_or(0),
            http_failures: unhealthy.http_failures.unwrap_or(0),
            tcp_failures: unhealthy.tcp_failures.unwrap_or(0),
            timeouts: unhealthy.timeouts.unwrap_or(0),
        },
    }
}

fn passive(checks: &Passive) -> HealthRules {
    let (healthy, unhealthy) = (&checks.healthy, &checks.unhealthy);
    HealthRules {
        good_statuses: healthy.http_statuses.clone().unwrap_or_default(),
        bad_statuses: unhealthy.http_statuses.clone().unwrap_or_default(),
        successes: healthy.successes.unwrap_or(0),
        http_failures: unhealthy.http_failures.unwrap_or(0),
        tcp_failures: unhealthy.tcp_failures.unwrap_or(0),
        timeouts: unhealthy.timeouts.unwrap_or(0),
    }
}

fn kind(kind: ProbeType) -> ProbeKind {
    match kind {
        ProbeType::Tcp => ProbeKind::Tcp,
        ProbeType::Http => ProbeKind::Http,
        ProbeType::Https => ProbeKind::Https,
        ProbeType::Grpc => ProbeKind::Grpc,
        ProbeType::Grpcs => ProbeKind::Grpcs,
    }
}

/// The schema lets nothing negative and nothing beyond a day through.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
