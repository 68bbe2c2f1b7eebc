//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// The configuration of the plugin `jwt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
#[schema(conditional(
    if_field = "maximum_expiration",
    if_match(gt = 0),
    then_field = "claims_to_verify",
    then_match(contains = "exp")
))]
pub struct JwtConfig {
    /// The query arguments a token is looked for in.
    #[schema(set, default = ["jwt"])]
    pub uri_param_names: Option<Vec<String>>,
    /// The cookies a token is looked for in.
    #[schema(set, default = [])]
    pub cookie_names: Option<Vec<String>>,
    /// The claim that names the token's key; it is looked for among the claims, then in the header.
    #[schema(default = "iss")]
    pub key_claim_name: Option<String>,
    /// Whether the secrets of credentials are written in base64.
    #[schema(required, default = false)]
    pub secret_is_base64: bool,
    /// The times that are checked: `exp`, `nbf`. They must be there then.
    #[schema(set, elements(one_of("exp", "nbf")))]
    pub claims_to_verify: Option<Vec<String>>,
    /// The consumer (id or user name) that requests without a good token go on as. Without it they
    /// are refused.
    pub anonymous: Option<String>,
    /// Whether `OPTIONS` requests need a token too.
    #[schema(required, default = true)]
    pub run_on_preflight: bool,
    /// For how many seconds from now a token may be valid at most; 0 is without limit.
    #[schema(default = 0, between(0, 31536000))]
    pub maximum_expiration: Option<f64>,
    /// The headers a token is looked for in, after `Bearer`.
    #[schema(set, default = ["authorization"])]
    pub header_names: Option<Vec<String>>,
    /// The realm that a refusal names in `WWW-Authenticate`.
    pub realm: Option<String>,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            uri_param_names: Some(vec!["jwt".into()]),
            cookie_names: Some(Vec::new()),
            key_claim_name: Some("iss".into()),
            secret_is_base64: false,
            claims_to_verify: None,
            anonymous: None,
            run_on_preflight: true,
            maximum_expiration: Some(0.0),
            header_names: Some(vec!["authorization".into()]),
            realm: None,
        }
    }
}
