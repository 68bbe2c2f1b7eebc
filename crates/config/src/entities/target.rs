//! Targets: the addresses behind an upstream.

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use towergate_schema::checks::{Host, HostKind};
use towergate_schema::{Schema, typedefs};
use uuid::Uuid;

use super::link;

/// An address of an upstream and its share of the traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Target {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_ms)]
    pub created_at: f64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_ms)]
    pub updated_at: f64,
    /// The upstream it belongs to.
    #[serde(with = "link::required")]
    #[schema(required, like = link::to_upstreams)]
    pub upstream: Uuid,
    /// `host:port`, with brackets around IPv6; port 8000 if none was written.
    #[schema(required, custom = is_target)]
    pub target: String,
    /// Its share of the traffic; 0 takes it out.
    #[schema(default = 100, between(0, 65535))]
    pub weight: Option<u16>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
}

const DEFAULT_PORT: u16 = 8000;

/// Brings the address to the form `host:port`.
pub(super) fn normalize(target: &mut Map<String, Value>) {
    if let Some(Value::String(address)) = target.get_mut("target")
        && let Ok(host) = Host::parse(address)
    {
        *address = with_port(&host);
    }
}

/// `host:port`; IPv6 in brackets and, as Kong keeps it, written out in full.
fn with_port(host: &Host) -> String {
    let port = host.port.unwrap_or(DEFAULT_PORT);
    match (host.kind, host.name.parse::<Ipv6Addr>()) {
        (HostKind::Ipv6, Ok(address)) => {
            let groups = address.segments().map(|group| format!("{group:04x}"));
            format!("[{}]:{port}", groups.join(":"))
        }
        _ => format!("{}:{port}", host.name),
    }
}

fn is_target(value: &Value) -> Result<(), String> {
    let target = value.as_str().unwrap_or_default();
    match Host::parse(target) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("Invalid target ('{target}'); not a valid hostname or ip address")),
    }
}
