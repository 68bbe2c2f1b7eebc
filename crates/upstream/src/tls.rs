//! Whom upstreams are trusted to be, and who we are to them.

use std::sync::Arc;

use towergate_core::{KeyPair, Protocol, Tls};
use towergate_tls::{Authorities, Client, Clients, PemError, PemPair, Trust};

/// What TLS to all upstreams has in common: what holds where a service says nothing itself.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsSettings {
    /// Whom to trust (`lua_ssl_trusted_certificate`). Default: whom the system trusts.
    pub authorities: Authorities,
    /// How many certificates may stand between an upstream's and a trusted one
    /// (`lua_ssl_verify_depth`). Default 1.
    pub depth: usize,
    /// What to show upstreams that ask who we are (`client_ssl_cert`). Default nothing.
    pub identity: Option<KeyPair>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { authorities: Authorities::none().with_system(), depth: 1, identity: None }
    }
}

/// The clients of all services under the same settings.
#[derive(Debug)]
pub(crate) struct Trusts {
    pub(crate) settings: TlsSettings,
    clients: Clients,
}

impl Trusts {
    pub(crate) fn new(settings: TlsSettings) -> Arc<Self> {
        let clients = Clients::new(settings.authorities.clone());
        Arc::new(Self { settings, clients })
    }

    /// The client of a service that says this of itself. Not checking is Kong's default, and HTTP/2 is
    /// for gRPC only, as there.
    pub(crate) fn client(&self, tls: &Tls, protocol: Protocol) -> Result<Client, PemError> {
        let identity = tls.identity.as_ref().or(self.settings.identity.as_ref());
        self.clients.client(&Trust {
            verify: tls.verify.unwrap_or(false),
            depth: tls.depth.map_or(self.settings.depth, usize::from),
            authorities: tls.authorities.clone(),
            identity: identity.map(|pair| PemPair { certificate: pair.certificate.clone(), key: pair.key.clone() }),
            protocol: if protocol.is_grpc() { towergate_tls::Protocol::Http2 } else { towergate_tls::Protocol::Http1 },
        })
    }
}
