//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// The configuration of the plugin `traffic-split`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct TrafficSplitConfig {
    /// Where requests go, each with its weight.
    #[schema(required, len_min = 1)]
    pub splits: Vec<Split>,
    /// What the requests of one client are kept together by, so that it stays: nothing (`none`), the `consumer` (else
    /// its credential, else the address), the `ip`, or a `header` (else the consumer).
    #[schema(required, default = "none")]
    pub hash_on: HashOn,
    /// The header whose value is hashed.
    #[serde(default)]
    pub hash_on_header: Option<String>,
}

/// One of the places where requests go: the service of their route, another service, or an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
#[schema(mutually_exclusive("service", "upstream"))]
pub struct Split {
    /// Its share of the requests, relative to the others. With 0 it gets none.
    #[schema(required, default = 100, between(0, 65535))]
    pub weight: u16,
    /// Another service, by name or id: its host, port, protocol, path, timeouts and TLS count.
    #[serde(default)]
    #[schema(len_min = 1)]
    pub service: Option<String>,
    /// The targets of another upstream, by its name; all else is the service's of the route.
    #[serde(default)]
    #[schema(len_min = 1)]
    pub upstream: Option<String>,
}

/// What the requests of one client are kept together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum HashOn {
    None,
    Consumer,
    Ip,
    Header,
}
