//! What an operator writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// The configuration of the plugin `route-by-header`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct RouteByHeaderConfig {
    /// The rules; the first that fits decides. A request that none fits goes to its service.
    #[schema(default = [])]
    pub rules: Option<Vec<Rule>>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The headers that a request must have, each with the value it must have.
    #[schema(len_min = 1)]
    pub condition: Option<BTreeMap<String, String>>,
    /// The upstream that it then goes to.
    #[schema(required)]
    pub upstream_name: String,
}
