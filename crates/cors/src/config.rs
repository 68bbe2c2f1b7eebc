//! What an operator writes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use towergate_schema::Schema;

use crate::origins;

/// The methods Kong knows, in its order.
pub(crate) const METHODS: [&str; 9] = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// The configuration of the plugin `cors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct CorsConfig {
    /// The origins that may read responses: plain (`https://shop.example`), regular expressions, or
    /// `*`. Without any, all may.
    #[schema(elements(custom = check_origin))]
    pub origins: Option<Vec<String>>,
    /// The request headers a page may send. Without any, those that it asks for.
    pub headers: Option<Vec<String>>,
    /// The response headers a page may read, beyond those that browsers always show.
    pub exposed_headers: Option<Vec<String>>,
    /// The methods a page may use. Null means all.
    #[schema(default = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"], elements(one_of("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT")))]
    pub methods: Option<Vec<String>>,
    /// How long, in seconds, a browser may remember the answer to a preflight.
    pub max_age: Option<f64>,
    /// Whether pages may send cookies and other credentials.
    #[schema(required, default = false)]
    pub credentials: bool,
    /// Whether public pages may reach private networks.
    #[schema(required, default = false)]
    pub private_network: bool,
    /// Whether preflights are passed on to the upstream instead of being answered here.
    #[schema(required, default = false)]
    pub preflight_continue: bool,
    /// Whether responses to requests without `Origin` get the headers too.
    #[schema(required, default = true)]
    pub allow_origin_absent: bool,
}

impl Default for CorsConfig {
    fn default() -> Self {
        Self {
            origins: None,
            headers: None,
            exposed_headers: None,
            methods: Some(METHODS.map(str::to_owned).to_vec()),
            max_age: None,
            credentials: false,
            private_network: false,
            preflight_continue: false,
            allow_origin_absent: true,
        }
    }
}

/// What Kong's schema asks of an element of `origins`.
fn check_origin(entry: &Value) -> Result<(), String> {
    entry.as_str().map_or(Ok(()), origins::check_entry)
}
