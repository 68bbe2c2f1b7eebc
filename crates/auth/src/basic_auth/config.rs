//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// The configuration of the plugin `basic-auth`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuthConfig {
    /// The consumer (id or user name) that requests without a good password go on as. Without it
    /// they are refused.
    pub anonymous: Option<String>,
    /// Whether the header that held the password is removed before the request goes on.
    #[schema(required, default = false)]
    pub hide_credentials: bool,
    /// The realm that a refusal names in `WWW-Authenticate`.
    #[schema(required, default = "service")]
    pub realm: String,
}

impl Default for BasicAuthConfig {
    fn default() -> Self {
        Self { anonymous: None, hide_credentials: false, realm: "service".into() }
    }
}
