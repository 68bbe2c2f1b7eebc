//! Where a connection comes from: what is the same for all of its requests.

use std::net::SocketAddr;

use towergate_core::Scheme;

use crate::config::ServerConfig;

/// What is known of a connection's client before it asks for anything.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// Serial number of the connection within its worker, from 1.
    pub(crate) number: u64,
    /// Who is at the other end.
    pub(crate) peer: SocketAddr,
    /// Where the connection was accepted.
    pub(crate) local: Option<SocketAddr>,
    /// The same as clients see it, by `port_maps`.
    pub(crate) shown: Option<SocketAddr>,
    /// Whether the connection is TLS.
    pub(crate) scheme: Scheme,
    /// The server name of the TLS handshake.
    pub(crate) server_name: Option<Box<str>>,
}

impl Origin {
    /// Of a connection in cleartext.
    pub(crate) fn new(number: u64, peer: SocketAddr, local: Option<SocketAddr>, config: &ServerConfig) -> Self {
        let local = local.map(canonical);
        let port = |port| config.port_maps.get(&port).copied().unwrap_or(port);
        let shown = local.map(|local| SocketAddr::new(local.ip(), port(local.port())));
        Self { number, peer: canonical(peer), local, shown, scheme: Scheme::Http, server_name: None }
    }
}

/// IPv4 in IPv6 clothes is IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
