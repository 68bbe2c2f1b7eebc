//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// The configuration of the plugin `acl`. Exactly one of `allow` and `deny` is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
#[schema(owner(only_one_of("config.allow", "config.deny"), at_least_one_of("config.allow", "config.deny")))]
pub struct AclConfig {
    /// The groups whose members may pass; nobody else may.
    pub allow: Option<Vec<String>>,
    /// The groups whose members may not pass; everybody else who is known may.
    pub deny: Option<Vec<String>>,
    /// Whether the upstream is not told the groups.
    #[schema(required, default = false)]
    pub hide_groups_header: bool,
    /// Whether groups that another system tells count before those of the consumer. If not, they
    /// count only where no consumer has proven anything.
    #[schema(required, default = false)]
    pub always_use_authenticated_groups: bool,
    /// Whether the names of the consumer groups a consumer is in count, too (Kong Enterprise).
    #[schema(required, default = false)]
    pub include_consumer_groups: bool,
}
