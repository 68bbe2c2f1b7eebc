//! Routes: which requests are meant.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use towergate_schema::{Field, Problem, Schema, checks, typedefs};
use uuid::Uuid;

use super::protocol::Protocol;
use super::{link, rules};

/// Which requests are meant and what becomes of their path and host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[schema(custom(fields("protocols"), check = fits_protocols))]
pub struct Route {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
    /// Its name, unique among routes.
    #[schema(like = typedefs::utf8_name)]
    pub name: Option<String>,
    /// The protocols it is for.
    #[schema(required, set, len_min = 1, default = ["http", "https"],
             mutually_exclusive_subsets(["http", "https"], ["tcp", "tls", "udp"], ["tls_passthrough"], ["grpc", "grpcs"]))]
    pub protocols: Vec<Protocol>,
    /// The status that sends plain HTTP to HTTPS when only that is allowed.
    #[schema(required, default = 426, one_of(426, 301, 302, 307, 308))]
    pub https_redirect_status_code: u16,
    /// Whether the part of the path that matched is taken off.
    #[schema(required, default = true)]
    pub strip_path: bool,
    /// Whether the service sees the Host header of the client.
    #[schema(required, default = false)]
    pub preserve_host: bool,
    /// Whether the body of the request is read before it is sent on.
    #[schema(required, default = true)]
    pub request_buffering: bool,
    /// Whether the body of the response is read before it is sent on.
    #[schema(required, default = true)]
    pub response_buffering: bool,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
    /// Where its requests go.
    #[serde(with = "link")]
    #[schema(like = link::to_services)]
    pub service: Option<Uuid>,
    /// Server names of TLS.
    #[schema(set, elements(like = typedefs::wildcard_host))]
    pub snis: Option<Vec<String>>,
    /// Where connections come from.
    #[schema(set)]
    pub sources: Option<Vec<Endpoint>>,
    /// Where connections are made to.
    #[schema(set)]
    pub destinations: Option<Vec<Endpoint>>,
    /// Methods.
    #[schema(set, elements(pattern("^[A-Z]+$", shown = "^%u+$")))]
    pub methods: Option<Vec<String>>,
    /// Hosts, `*` standing for the first or last label.
    #[schema(elements(custom = checks::host_with_wildcard))]
    pub hosts: Option<Vec<String>>,
    /// Prefixes of paths, or regexes behind `~`.
    #[schema(elements(like = rules::route_path))]
    pub paths: Option<Vec<String>>,
    /// Headers with the values of which one must be there.
    #[schema(like = headers)]
    pub headers: Option<BTreeMap<String, Vec<String>>>,
    /// Which regex comes first when several match.
    #[schema(default = 0)]
    pub regex_priority: Option<i64>,
    /// How the paths of service, route and request are joined.
    #[schema(default = "v0")]
    pub path_handling: Option<PathHandling>,
}

/// An address, a port, or both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[schema(at_least_one_of("ip", "port"))]
pub struct Endpoint {
    /// An address or a block of them.
    #[schema(like = typedefs::ip_or_cidr)]
    pub ip: Option<String>,
    /// A port.
    #[schema(like = typedefs::port)]
    pub port: Option<u16>,
}

/// How the paths of service, route and request are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "Kong's own names")]
pub enum PathHandling {
    V0,
    V1,
}

fn headers() -> Field {
    let no_host = "cannot contain 'host' header, which must be specified in the 'hosts' attribute";
    typedefs::headers().keys(|name| name.not_pattern("^[Hh][Oo][Ss][Tt]$", Some(no_host)))
}

fn protocols(route: &Map<String, Value>) -> Vec<&str> {
    let listed = route.get("protocols").and_then(Value::as_array);
    listed.map(|names| names.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// For gRPC the default of `strip_path` is another.
pub(super) fn coerce(written: &mut Map<String, Value>) {
    let grpc = protocols(written).iter().any(|protocol| protocol.starts_with("grpc"));
    if grpc && written.get("strip_path").is_none_or(Value::is_null) {
        written.insert("strip_path".to_owned(), json!(false));
    }
}

/// What Kong asks of a route depends on the family of its protocols.
fn fits_protocols(route: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    let protocols = protocols(route);
    let mut problems = Vec::new();
    match protocols.first() {
        Some(&("http" | "https")) => http(route, &protocols, &mut problems),
        Some(&("grpc" | "grpcs")) => grpc(route, &protocols, &mut problems),
        Some(_) => stream(route, &protocols, &mut problems),
        None => {}
    }
    let tls = protocols.iter().any(|p| matches!(*p, "grpcs" | "https" | "tls" | "tls_passthrough"));
    if !tls && rules::is_set(route, "snis") {
        problems.push(Problem::field("snis", "length must be 0"));
        problems.push(Problem::entity(
            "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'",
        ));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn http(route: &Map<String, Value>, protocols: &[&str], problems: &mut Vec<Problem>) {
    forbid(route, &["sources", "destinations"], "'http' or 'https'", problems);
    match protocols.contains(&"https") {
        true => one_of(route, &["methods", "hosts", "headers", "paths", "snis"], "'https'", problems),
        false => one_of(route, &["methods", "hosts", "headers", "paths"], "'http'", problems),
    }
}

fn grpc(route: &Map<String, Value>, protocols: &[&str], problems: &mut Vec<Problem>) {
    forbid(route, &["methods", "sources", "destinations"], "'grpc' or 'grpcs'", problems);
    if route.get("strip_path") == Some(&Value::Bool(true)) {
        problems.push(Problem::field("strip_path", "cannot set 'strip_path' when 'protocols' is 'grpc' or 'grpcs'"));
    }
    match protocols.contains(&"grpcs") {
        true => one_of(route, &["hosts", "headers", "paths", "snis"], "'grpcs'", problems),
        false => one_of(route, &["hosts", "headers", "paths"], "'grpc'", problems),
    }
}

fn stream(route: &Map<String, Value>, protocols: &[&str], problems: &mut Vec<Problem>) {
    forbid(route, &["methods", "hosts", "paths", "headers"], "'tcp', 'tls', 'tls_passthrough' or 'udp'", problems);
    if protocols.contains(&"tls_passthrough") {
        if !rules::is_set(route, "snis") {
            problems.push(Problem::entity("must set snis when 'protocols' is 'tls_passthrough'"));
        }
    } else {
        one_of(route, &["sources", "destinations", "snis"], "'tcp', 'tls' or 'udp'", problems);
    }
}

fn forbid(route: &Map<String, Value>, fields: &[&str], protocols: &str, problems: &mut Vec<Problem>) {
    for field in fields.iter().filter(|field| route.get(**field).is_some_and(|value| !value.is_null())) {
        problems.push(Problem::field(field, format!("cannot set '{field}' when 'protocols' is {protocols}")));
    }
}

fn one_of(route: &Map<String, Value>, fields: &[&str], protocols: &str, problems: &mut Vec<Problem>) {
    if !fields.iter().any(|field| rules::is_set(route, field)) {
        let names: Vec<_> = fields.iter().map(|field| format!("'{field}'")).collect();
        let message = format!("must set one of {} when 'protocols' is {protocols}", names.join(", "));
        problems.push(Problem::entity(message));
    }
}
