//! Who sent a request, and over what.

use std::net::{IpAddr, SocketAddr};

/// The scheme of the client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scheme {
    /// Cleartext.
    #[default]
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// What is known of the client's side of a request. All of it comes from the connection and from
/// headers of *trusted* peers only.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// The direct peer of the connection (`None` when embedded in a service that does not say).
    pub peer: Option<SocketAddr>,
    /// The address we accepted the connection on.
    pub local: Option<SocketAddr>,
    /// The client's address: the peer's, or what a trusted peer says it is (`real_ip_header`).
    pub address: Option<IpAddr>,
    /// The client's port, when known.
    pub port: Option<u16>,
    /// Whether the direct peer is one of `trusted_ips`, so that its `X-Forwarded-*` count.
    pub trusted: bool,
    /// The scheme of the connection.
    pub scheme: Scheme,
    /// The server name of the TLS handshake.
    pub server_name: Option<Box<str>>,
    /// Serial number of the connection within its worker, from 1.
    pub connection: u64,
    /// Which request of its connection this is, from 1.
    pub connection_requests: u64,
}
