//! Who sent a request, and over what.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

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

/// What a client has shown in a TLS handshake: it has the private key of the first certificate.
/// Nobody has looked at who issued it.
///
/// Embedded in a service that shakes hands itself, an `Arc` of it in the request's extensions says
/// the same.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The client's own certificate, then those between it and a root, in DER.
    chain: Vec<Box<[u8]>>,
}

impl PeerCertificate {
    /// Of these certificates in DER, the client's own first; `None` if there are none.
    pub fn new(chain: Vec<Box<[u8]>>) -> Option<Self> {
        (!chain.is_empty()).then_some(Self { chain })
    }

    /// The client's own certificate, in DER.
    pub fn own(&self) -> &[u8] {
        self.chain.first().map(|own| &**own).unwrap_or_default()
    }

    /// The certificates it has sent to go between its own and a root, in DER.
    pub fn between(&self) -> impl Iterator<Item = &[u8]> {
        self.chain.iter().skip(1).map(|certificate| &**certificate)
    }
}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate").field("certificates", &self.chain.len()).finish()
    }
}

/// What a TLS handshake agreed on, in OpenSSL's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The version: `TLSv1.3`.
    pub version: &'static str,
    /// The suite: `TLS_AES_256_GCM_SHA384`, `ECDHE-RSA-AES128-GCM-SHA256`.
    pub cipher: &'static str,
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
    /// What the TLS handshake agreed on; `None` without one.
    pub session: Option<Session>,
    /// The certificates the client has shown in the handshake; `None` if none.
    pub certificate: Option<Arc<PeerCertificate>>,
    /// Serial number of the connection within its worker, from 1.
    pub connection: u64,
    /// Which request of its connection this is, from 1.
    pub connection_requests: u64,
}

impl Client {
    /// The peer of a connection, with nobody in between.
    pub fn direct(peer: SocketAddr) -> Self {
        // An IPv4 client on a socket of both kinds is the IPv4 client.
        Self { peer: Some(peer), address: Some(peer.ip().to_canonical()), port: Some(peer.port()), ..Self::default() }
    }
}
