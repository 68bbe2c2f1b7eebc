//! What an operator may set about proxying as a whole.

use std::time::Duration;

/// Settings of a [`Proxy`](crate::Proxy), the same for all services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxySettings {
    /// How the gateway calls itself in the `Via` header of requests, such as `kong/3.9.1`; empty
    /// leaves `Via` alone. Default `towergate/<version>`.
    pub via_token: String,
    /// Whether `X-Kong-Request-Id` goes upstream (`headers_upstream`). Default yes.
    pub headers_upstream_request_id: bool,
    /// How many idle connections are kept per upstream address
    /// (`upstream_keepalive_pool_size`); 0 keeps none. Default 512.
    pub pool_size: usize,
    /// After how many requests a connection is closed (`upstream_keepalive_max_requests`);
    /// 0 sets no limit. Default 10000.
    pub max_requests: u64,
    /// How long a connection may stay idle (`upstream_keepalive_idle_timeout`); zero sets no
    /// limit. Default 60 seconds.
    pub idle_timeout: Duration,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            via_token: concat!("towergate/", env!("CARGO_PKG_VERSION")).to_owned(),
            headers_upstream_request_id: true,
            pool_size: 512,
            max_requests: 10_000,
            idle_timeout: Duration::from_secs(60),
        }
    }
}
