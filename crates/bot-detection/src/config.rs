//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// The configuration of the plugin `bot-detection`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct BotDetectionConfig {
    /// Regular expressions: a `User-Agent` in which one is found passes.
    #[schema(default = [], elements(is_regex))]
    pub allow: Option<Vec<String>>,
    /// Regular expressions: a `User-Agent` in which one is found, and none of `allow`, is refused.
    #[schema(default = [], elements(is_regex))]
    pub deny: Option<Vec<String>>,
}

impl Default for BotDetectionConfig {
    fn default() -> Self {
        Self { allow: Some(Vec::new()), deny: Some(Vec::new()) }
    }
}
