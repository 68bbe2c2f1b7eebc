//! What an operator writes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use towergate_schema::Schema;

use super::search::KeyName;

/// The configuration of the plugin `key-auth`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyAuthConfig {
    /// The names a key is looked for under, in this order: of a header, a query argument, a body's field.
    #[schema(required, default = ["apikey"], elements(custom = check_key_name))]
    pub key_names: Vec<String>,
    /// Whether the key is removed from the request before it goes on.
    #[schema(required, default = false)]
    pub hide_credentials: bool,
    /// The consumer (id or user name) that requests without a valid key go on as. Without it they
    /// are refused.
    pub anonymous: Option<String>,
    /// Whether a key may stand in a header.
    #[schema(required, default = true)]
    pub key_in_header: bool,
    /// Whether a key may stand in the query.
    #[schema(required, default = true)]
    pub key_in_query: bool,
    /// Whether a key may stand in the body: a form, a JSON object, or `multipart/form-data`.
    #[schema(required, default = false)]
    pub key_in_body: bool,
    /// Whether `OPTIONS` requests need a key too.
    #[schema(required, default = true)]
    pub run_on_preflight: bool,
    /// The realm that a refusal names in `WWW-Authenticate`.
    pub realm: Option<String>,
}

impl Default for KeyAuthConfig {
    fn default() -> Self {
        Self {
            key_names: vec!["apikey".into()],
            hide_credentials: false,
            anonymous: None,
            key_in_header: true,
            key_in_query: true,
            key_in_body: false,
            run_on_preflight: true,
            realm: None,
        }
    }
}

/// What Kong's schema asks of an element of `key_names`.
fn check_key_name(name: &Value) -> Result<(), String> {
    name.as_str().map_or(Ok(()), |name| KeyName::new(name).map(|_| ()))
}
