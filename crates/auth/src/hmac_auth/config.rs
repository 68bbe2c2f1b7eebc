//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

use super::algorithm::HmacAlgorithm;

/// How far a request's date may be from now unless told otherwise, in seconds.
pub(super) const CLOCK_SKEW: f64 = 300.0;

/// The configuration of the plugin `hmac-auth`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct HmacAuthConfig {
    /// Whether the header that held the signature is removed before the request goes on.
    #[schema(required, default = false)]
    pub hide_credentials: bool,
    /// How many seconds a request's `X-Date` or `Date` may be from now. Null means 300.
    #[schema(default = 300, gt = 0)]
    pub clock_skew: Option<f64>,
    /// The consumer (id or user name) that requests without a good signature go on as. Without it
    /// they are refused.
    pub anonymous: Option<String>,
    /// Whether a body must be the one that `Digest: SHA-256=…` tells. Sign `digest`, too.
    #[schema(required, default = false)]
    pub validate_request_body: bool,
    /// What a signature must cover at least: names of headers, `request-line`, `@request-target`.
    #[schema(default = [])]
    pub enforce_headers: Option<Vec<String>>,
    /// The algorithms that are accepted. Null means the default.
    #[schema(default = ["hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"])]
    pub algorithms: Option<Vec<HmacAlgorithm>>,
    /// The realm that a refusal names in `WWW-Authenticate`.
    pub realm: Option<String>,
}

impl Default for HmacAuthConfig {
    fn default() -> Self {
        Self {
            hide_credentials: false,
            clock_skew: Some(CLOCK_SKEW),
            anonymous: None,
            validate_request_body: false,
            enforce_headers: Some(Vec::new()),
            algorithms: Some(HmacAlgorithm::DEFAULT.to_vec()),
            realm: None,
        }
    }
}
