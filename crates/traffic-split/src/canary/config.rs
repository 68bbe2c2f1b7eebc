//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// The configuration of the plugin `canary`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct CanaryConfig {
    /// When the release begins, in seconds since 1970. Null means: when this configuration comes into force. Not used
    /// with `percentage`, nor when `hash` is `allow` or `deny`.
    pub start: Option<f64>,
    /// What the requests of one client are kept together by, so that it meets one version: the `consumer` (else its
    /// credential, else the address), the `ip`, a `header` (else the consumer), or nothing (`none`). With `allow` and
    /// `deny` the groups of the consumer decide alone.
    #[schema(default = "consumer")]
    pub hash: Option<CanaryHash>,
    /// The header whose value is hashed.
    pub hash_header: Option<String>,
    /// How long, in seconds, it takes from the first request at the canary to all of them.
    #[schema(default = 3600)]
    pub duration: Option<f64>,
    /// Into how many steps all requests are divided.
    #[schema(default = 1000, between(1, 1_000_000_000))]
    pub steps: Option<f64>,
    /// So many per cent of the requests go to the canary, for as long as this stands here.
    #[schema(between(0, 100))]
    pub percentage: Option<f64>,
    /// The groups whose members meet the canary (`allow`), or are spared it (`deny`).
    pub groups: Option<Vec<String>>,
    /// The host of the canary: a name, an address, or the name of an upstream.
    pub upstream_host: Option<String>,
    /// The port of the canary.
    #[schema(between(0, 65535))]
    pub upstream_port: Option<u16>,
    /// The path to ask the canary for, in place of the one that would be asked for. The query stays.
    #[schema(len_min = 1)]
    pub upstream_uri: Option<String>,
    /// Whether requests go on to the service while nobody of the canary's upstream is healthy.
    #[schema(required, default = false)]
    pub upstream_fallback: bool,
    /// A header by which a client decides itself: `always` meets the canary, `never` does not.
    pub canary_by_header_name: Option<String>,
}

/// What decides about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum CanaryHash {
    Consumer,
    Ip,
    None,
    Allow,
    Deny,
    Header,
}

impl Default for CanaryConfig {
    fn default() -> Self {
        Self {
            start: None,
            hash: Some(CanaryHash::Consumer),
            hash_header: None,
            duration: Some(3600.0),
            steps: Some(1000.0),
            percentage: None,
            groups: None,
            upstream_host: None,
            upstream_port: None,
            upstream_uri: None,
            upstream_fallback: false,
            canary_by_header_name: None,
        }
    }
}
