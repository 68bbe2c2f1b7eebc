//! Upstreams: several addresses behind one name, how load is shared and health watched.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use towergate_schema::checks::{Host, HostKind};
use towergate_schema::{Problem, Schema, typedefs};
use uuid::Uuid;

use super::{link, resilience, resilience::Resilience, rules};

/// A name for several addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[schema(custom(fields("hash_on", "hash_fallback"), check = hashes))]
#[schema(custom(fields("resilience", "healthchecks"), check = resilience::has_effect))]
#[schema(conditional(
    if_field = "algorithm",
    if_match(eq = "sticky-sessions"),
    then_field = "sticky_sessions_cookie",
    then_match(required)
))]
#[schema(distinct("hash_on_header", "hash_fallback_header"))]
#[schema(distinct("hash_on_query_arg", "hash_fallback_query_arg"))]
#[schema(distinct("hash_on_uri_capture", "hash_fallback_uri_capture"))]
pub struct Upstream {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// The name; services whose host is the same use it.
    #[schema(required, unique, custom = is_name)]
    pub name: String,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
    /// How an address is chosen.
    #[schema(default = "round-robin")]
    pub algorithm: Option<Algorithm>,
    /// What consistent hashing looks at.
    #[schema(default = "none")]
    pub hash_on: Option<HashOn>,
    /// What it looks at when that is not there.
    #[schema(default = "none")]
    pub hash_fallback: Option<HashOn>,
    /// The header, when hashing on one.
    #[schema(like = typedefs::header_name)]
    pub hash_on_header: Option<String>,
    /// The header, when falling back to one.
    #[schema(like = typedefs::header_name)]
    pub hash_fallback_header: Option<String>,
    /// The cookie, when hashing on one.
    #[schema(like = typedefs::cookie_name)]
    pub hash_on_cookie: Option<String>,
    /// The path of the cookie.
    #[schema(default = "/", like = typedefs::path)]
    pub hash_on_cookie_path: Option<String>,
    /// The query argument, when hashing on one.
    #[schema(len_min = 1)]
    pub hash_on_query_arg: Option<String>,
    /// The query argument, when falling back to one.
    #[schema(len_min = 1)]
    pub hash_fallback_query_arg: Option<String>,
    /// The named group of the route's regex, when hashing on one.
    #[schema(len_min = 1)]
    pub hash_on_uri_capture: Option<String>,
    /// The named group, when falling back to one.
    #[schema(len_min = 1)]
    pub hash_fallback_uri_capture: Option<String>,
    /// How fine the shares of the load are.
    #[schema(default = 10000, between(10, 65536))]
    pub slots: Option<u32>,
    /// How health is watched.
    pub healthchecks: Healthchecks,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
    /// The Host header for its addresses.
    #[schema(like = typedefs::host_with_optional_port)]
    pub host_header: Option<String>,
    /// The certificate we show to its addresses.
    #[serde(with = "link")]
    #[schema(like = link::to_certificates)]
    pub client_certificate: Option<Uuid>,
    /// Whether names from SRV records are the Host header.
    #[schema(default = false)]
    pub use_srv_name: Option<bool>,
    /// The cookie that names a client's address, with the algorithm `sticky-sessions` (Kong Enterprise 3.11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(like = typedefs::cookie_name)]
    pub sticky_sessions_cookie: Option<String>,
    /// The path of that cookie; `/` if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(like = typedefs::path)]
    pub sticky_sessions_cookie_path: Option<String>,
    /// How it goes through bad times: Towergate's own, shown only where it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resilience: Option<Resilience>,
}

/// How an address is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Algorithm {
    ConsistentHashing,
    LeastConnections,
    RoundRobin,
    Latency,
    StickySessions,
    PowerOfTwoChoices,
}

/// What consistent hashing looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum HashOn {
    None,
    Consumer,
    Ip,
    Header,
    Cookie,
    Path,
    QueryArg,
    UriCapture,
}

/// How health is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Healthchecks {
    /// By asking.
    pub active: Active,
    /// By watching what happens to requests.
    pub passive: Passive,
    /// Percentage of the weights that must be healthy for the whole to be.
    #[schema(default = 0, between(0, 100))]
    pub threshold: Option<f64>,
}

/// Watching health by asking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Active {
    /// What to ask by.
    #[serde(rename = "type")]
    #[schema(default = "http")]
    pub kind: Option<ProbeType>,
    /// Seconds to wait for an answer.
    #[schema(default = 1, between(0, 65535))]
    pub timeout: Option<f64>,
    /// How many to ask at the same time.
    #[schema(default = 10, between(1, 2147483648))]
    pub concurrency: Option<u64>,
    /// The path to ask for.
    #[schema(default = "/", like = typedefs::path)]
    pub http_path: Option<String>,
    /// The server name of TLS.
    #[schema(like = typedefs::sni)]
    pub https_sni: Option<String>,
    /// Whether to check the certificate.
    #[schema(required, default = true)]
    pub https_verify_certificate: bool,
    /// Headers to ask with.
    #[schema(like = typedefs::headers)]
    pub headers: Option<BTreeMap<String, Vec<String>>>,
    /// When it is healthy.
    pub healthy: ActiveHealthy,
    /// When it is not.
    pub unhealthy: ActiveUnhealthy,
}

/// What is asked by, or watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ProbeType {
    Tcp,
    Http,
    Https,
    Grpc,
    Grpcs,
}

/// When an address that is asked becomes healthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct ActiveHealthy {
    /// Seconds between two questions to a healthy address; 0 asks none.
    #[schema(default = 0, between(0, 65535))]
    pub interval: Option<f64>,
    /// Statuses that are good.
    #[schema(default = [200, 302], elements(between(100, 999)))]
    pub http_statuses: Option<Vec<u16>>,
    /// Good answers that make it healthy; 0 never does.
    #[schema(default = 0, between(0, 255))]
    pub successes: Option<u8>,
}

/// When an address that is asked becomes unhealthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct ActiveUnhealthy {
    /// Seconds between two questions to an unhealthy address; 0 asks none.
    #[schema(default = 0, between(0, 65535))]
    pub interval: Option<f64>,
    /// Statuses that are bad.
    #[schema(default = [429, 404, 500, 501, 502, 503, 504, 505], elements(between(100, 999)))]
    pub http_statuses: Option<Vec<u16>>,
    /// Failed connections that make it unhealthy; 0 never does.
    #[schema(default = 0, between(0, 255))]
    pub tcp_failures: Option<u8>,
    /// Timeouts that make it unhealthy; 0 never does.
    #[schema(default = 0, between(0, 255))]
    pub timeouts: Option<u8>,
    /// Bad statuses that make it unhealthy; 0 never does.
    #[schema(default = 0, between(0, 255))]
    pub http_failures: Option<u8>,
}

/// Watching health by what happens to requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Passive {
    /// What is watched.
    #[serde(rename = "type")]
    #[schema(default = "http")]
    pub kind: Option<ProbeType>,
    /// When it is healthy.
    pub healthy: PassiveHealthy,
    /// When it is not.
    pub unhealthy: PassiveUnhealthy,
}

/// When an address that is watched becomes healthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct PassiveHealthy {
    /// Statuses that are good.
    #[schema(default = [200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308],
             elements(between(100, 999)))]
    pub http_statuses: Option<Vec<u16>>,
    /// Good answers that make it healthy; 0 never does.
    #[schema(default = 0, between(0, 255))]
    pub successes: Option<u8>,
}

/// When an address that is watched becomes unhealthy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct PassiveUnhealthy {
    /// Statuses that are bad.
    #[schema(default = [429, 500, 503], elements(between(100, 999)))]
    pub http_statuses: Option<Vec<u16>>,
    /// Failed connections that make it unhealthy; 0 never does.
    #[schema(default = 0, between(0, 255))]
    pub tcp_failures: Option<u8>,
    /// Timeouts that make it unhealthy; 0 never does.
    #[schema(default = 0, between(0, 255))]
    pub timeouts: Option<u8>,
    /// Bad statuses that make it unhealthy; 0 never does.
    #[schema(default = 0, between(0, 255))]
    pub http_failures: Option<u8>,
}

/// Kong lets one of `algorithm` and `hash_on` follow from the other, as older files have only one.
pub(super) fn coerce(written: &mut Map<String, Value>) {
    let algorithm = written.get("algorithm").and_then(Value::as_str);
    if matches!(algorithm, Some("least-connections" | "latency" | "sticky-sessions" | "power-of-two-choices")) {
        written.insert("hash_on".to_owned(), json!("none"));
        return;
    }
    match written.get("hash_on") {
        None => {}
        Some(Value::Null) => drop(written.insert("hash_on".to_owned(), json!("none"))),
        Some(Value::String(on)) if on == "none" => drop(written.insert("algorithm".to_owned(), json!("round-robin"))),
        Some(_) => drop(written.insert("algorithm".to_owned(), json!("consistent-hashing"))),
    }
}

fn is_name(value: &Value) -> Result<(), String> {
    let name = value.as_str().unwrap_or_default();
    let why = match Host::parse(name) {
        Err(_) => "must be a valid hostname",
        Ok(host) if host.kind != HostKind::Name => "no ip addresses allowed",
        Ok(host) if host.port.is_some() => "no port allowed",
        Ok(_) => return Ok(()),
    };
    Err(format!("Invalid name ('{name}'); {why}"))
}

/// What hashing looks at must be named, and falling back must lead somewhere else.
fn hashes(upstream: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    let text = |field: &str| upstream.get(field).and_then(Value::as_str).unwrap_or("none");
    let (on, fallback) = (text("hash_on"), text("hash_fallback"));
    let mut problems = Vec::new();
    for (field, value) in [("hash_on", on), ("hash_fallback", fallback)] {
        let needed = match value {
            "header" | "query_arg" | "uri_capture" => format!("{field}_{value}"),
            "cookie" => "hash_on_cookie".to_owned(),
            _ => continue,
        };
        if !rules::is_set(upstream, &needed) {
            problems.push(Problem::field(&needed, "required field missing"));
            problems.push(conditional(field));
        }
    }
    let allowed: &[&str] = match on {
        "none" | "cookie" => &["none"],
        "consumer" => &["none", "ip", "header", "cookie", "path", "query_arg", "uri_capture"],
        "ip" => &["none", "consumer", "header", "cookie", "path", "query_arg", "uri_capture"],
        "path" => &["none", "consumer", "header", "cookie", "query_arg", "ip", "uri_capture"],
        _ => &[],
    };
    if !allowed.is_empty() && !allowed.contains(&fallback) {
        problems.push(Problem::field("hash_fallback", format!("expected one of: {}", allowed.join(", "))));
        problems.push(conditional("hash_on"));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn conditional(field: &str) -> Problem {
    Problem::entity(format!("failed conditional validation given value of field '{field}'"))
}
