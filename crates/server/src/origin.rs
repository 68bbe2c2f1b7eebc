//! Where a connection comes from: what is the same for all of its requests.

use std::{net::SocketAddr, sync::Arc};

use towergate_core::{PeerCertificate, Scheme, Session};

use crate::{config::ServerConfig, proxy_protocol::Broken, tls::Introduction};

/// What is known of a connection's client before it asks for anything.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// Serial number of the connection within its worker, from 1.
    pub(crate) number: u64,
    /// Who is at the other end.
    pub(crate) peer: SocketAddr,
    /// Who that one says the client is, by the PROXY protocol.
    pub(crate) told: Option<SocketAddr>,
    /// Where the connection was accepted.
    pub(crate) local: Option<SocketAddr>,
    /// The same as clients see it, by `port_maps`.
    pub(crate) shown: Option<SocketAddr>,
    /// Whether the connection is TLS.
    pub(crate) scheme: Scheme,
    /// The server name of the TLS handshake.
    pub(crate) server_name: Option<Box<str>>,
    /// What the handshake agreed on.
    pub(crate) session: Option<Session>,
    /// The certificates the client has shown in it.
    pub(crate) certificate: Option<Arc<PeerCertificate>>,
    /// Whether it should have been TLS and is not.
    pub(crate) lacks_tls: bool,
}

impl Origin {
    /// Of a connection in cleartext.
    pub(crate) fn new(number: u64, peer: SocketAddr, local: Option<SocketAddr>, config: &ServerConfig) -> Self {
        let local = local.map(canonical);
        let port = |port| config.port_maps.get(&port).copied().unwrap_or(port);
        let shown = local.map(|local| SocketAddr::new(local.ip(), port(local.port())));
        let (scheme, lacks_tls) = (Scheme::Http, false);
        let (server_name, session, certificate) = (None, None, None);
        Self {
            number,
            peer: canonical(peer),
            told: None,
            local,
            shown,
            scheme,
            server_name,
            session,
            certificate,
            lacks_tls,
        }
    }

    /// The same after a handshake in which the client said this.
    pub(crate) fn secured(self, said: Introduction) -> Self {
        let Introduction { server_name, session, certificate } = said;
        Self { scheme: Scheme::Https, server_name, session, certificate, ..self }
    }

    /// The same where there should have been a handshake.
    pub(crate) fn without_tls(self) -> Self {
        Self { lacks_tls: true, ..self }
    }

    /// Tells the operator why the connection is closed before HTTP.
    pub(crate) fn close(&self, broken: &Broken) {
        if broken.is_worth_a_line() {
            let (client, listener) = (self.peer, self.local);
            tracing::warn!(%client, ?listener, side = "client", cause = %broken, "No PROXY protocol header; closed");
        }
    }
}

/// IPv4 in IPv6 clothes is IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
