//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::{Schema, typedefs};

/// The configuration of the plugin `redirect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct RedirectConfig {
    /// The status of the answer.
    #[schema(required, default = 301, between(100, 599))]
    pub status_code: u16,
    /// Where to: a URL with scheme and host.
    #[schema(required, like = typedefs::url)]
    pub location: String,
    /// Whether the request's path and query take the place of those of `location`.
    #[serde(default)]
    #[schema(default = false)]
    pub keep_incoming_path: Option<bool>,
}
