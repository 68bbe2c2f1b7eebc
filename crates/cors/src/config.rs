//! What an operator writes.

use serde::{Deserialize, Serialize};

/// The methods Kong knows, in its order.
pub(crate) const METHODS: [&str; 9] = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// The configuration of the plugin `cors`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorsConfig {
    /// The origins that may read responses: plain (`https://shop.example`), regular expressions, or
    /// `*`. Without any, all may.
    pub origins: Option<Vec<String>>,
    /// The request headers a page may send. Without any, those that it asks for.
    pub headers: Option<Vec<String>>,
    /// The response headers a page may read, beyond those that browsers always show.
    pub exposed_headers: Option<Vec<String>>,
    /// The methods a page may use. Null means all.
    pub methods: Option<Vec<String>>,
    /// How long, in seconds, a browser may remember the answer to a preflight.
    pub max_age: Option<f64>,
    /// Whether pages may send cookies and other credentials.
    pub credentials: bool,
    /// Whether public pages may reach private networks.
    pub private_network: bool,
    /// Whether preflights are passed on to the upstream instead of being answered here.
    pub preflight_continue: bool,
    /// Whether responses to requests without `Origin` get the headers too.
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
