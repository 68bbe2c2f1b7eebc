//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::{Schema, checks};

/// The configuration of the plugin `ip-restriction`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
#[schema(owner(at_least_one_of("config.allow", "config.deny")))]
pub struct IpRestrictionConfig {
    /// The addresses and ranges (CIDR) that may ask; all others are refused. Without any, all may.
    #[schema(elements(custom = checks::ip_or_cidr))]
    pub allow: Option<Vec<String>>,
    /// The addresses and ranges (CIDR) that are refused, even if `allow` names them.
    #[schema(elements(custom = checks::ip_or_cidr))]
    pub deny: Option<Vec<String>>,
    /// The status of a refusal, 400 to 599. Null means 403.
    pub status: Option<f64>,
    /// What the client of a refusal reads. Null means `IP address not allowed: ` and its address.
    pub message: Option<String>,
}
