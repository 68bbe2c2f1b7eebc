//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// The configuration of the plugin `jwks-auth`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct JwksAuthConfig {
    /// Where the issuer publishes its keys: an `https` or `http` URL that answers with a JWK Set.
    #[schema(required, pattern("^https?://", message = "must be an https or http URL"))]
    pub jwks_uri: String,
    /// Who tokens may be from (`iss`), to the letter.
    #[schema(required, set, len_min = 1)]
    pub issuers: Vec<String>,
    /// Whom tokens may be for (`aud`): one of them must be among those the token names.
    #[schema(required, set, len_min = 1)]
    pub audiences: Vec<String>,
    /// How tokens may be signed.
    #[schema(
        required,
        set,
        len_min = 1,
        elements(one_of("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA"))
    )]
    pub algorithms: Vec<String>,
    /// The headers a token is looked for in, after `Bearer`.
    #[schema(required, set, default = ["authorization"])]
    pub header_names: Vec<String>,
    /// The query arguments a token is looked for in.
    #[schema(required, set, default = [])]
    pub uri_param_names: Vec<String>,
    /// The cookies a token is looked for in.
    #[schema(required, set, default = [])]
    pub cookie_names: Vec<String>,
    /// The claim that names the consumer. Without it a good token is enough, whoever it is of.
    pub consumer_claim: Option<String>,
    /// By what the claim names the consumer; tried in this order.
    #[schema(required, default = ["username", "custom_id"], elements(one_of("username", "custom_id", "id")))]
    pub consumer_by: Vec<String>,
    /// Whether a good token whose consumer is not there is let through without one.
    #[schema(required, default = false)]
    pub consumer_optional: bool,
    /// The claim that names the groups for `acl`: a list of texts, or a text with blanks between them.
    pub authenticated_groups_claim: Option<String>,
    /// The consumer (id or user name) that requests without a good token go on as. Without it they
    /// are refused.
    pub anonymous: Option<String>,
    /// Whether `OPTIONS` requests need a token too.
    #[schema(required, default = true)]
    pub run_on_preflight: bool,
    /// The realm that a refusal names in `WWW-Authenticate`.
    pub realm: Option<String>,
    /// By how many seconds the issuer's clock may differ from ours.
    #[schema(required, default = 0, between(0, 600))]
    pub leeway: u64,
    /// After how many seconds keys are fetched again.
    #[schema(required, default = 300, between(1, 86400))]
    pub refresh_interval: u64,
    /// How many seconds pass at least between two fetches because of a key that is not known.
    #[schema(required, default = 10, between(1, 3600))]
    pub cooldown: u64,
    /// How many milliseconds a fetch may take.
    #[schema(required, default = 5000, between(1, 60000))]
    pub timeout: u64,
    /// The authorities that are trusted for `https`, in PEM, instead of those that the system trusts.
    pub ca_certificates: Option<String>,
}

impl Default for JwksAuthConfig {
    fn default() -> Self {
        Self {
            jwks_uri: String::new(),
            issuers: Vec::new(),
            audiences: Vec::new(),
            algorithms: Vec::new(),
            header_names: vec!["authorization".into()],
            uri_param_names: Vec::new(),
            cookie_names: Vec::new(),
            consumer_claim: None,
            consumer_by: vec!["username".into(), "custom_id".into()],
            consumer_optional: false,
            authenticated_groups_claim: None,
            anonymous: None,
            run_on_preflight: true,
            realm: None,
            leeway: 0,
            refresh_interval: 300,
            cooldown: 10,
            timeout: 5000,
            ca_certificates: None,
        }
    }
}
