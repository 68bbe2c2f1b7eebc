//! Routes and services as a request meets them: resolved, with defaults filled in.

use std::{fmt, sync::Arc, time::Duration};

use uuid::Uuid;

use crate::balancing::Balancing;

/// A protocol of a route or service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Protocol {
    Http,
    Https,
    Grpc,
    Grpcs,
    Tcp,
    Tls,
    TlsPassthrough,
    Udp,
}

impl Protocol {
    /// As written in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::TlsPassthrough => "tls_passthrough",
            Self::Udp => "udp",
        }
    }

    /// The port left out of a `Host` header.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Https | Self::Grpcs => 443,
            _ => 80,
        }
    }

    /// Whether it is carried by TLS that ends at the upstream.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs | Self::Tls)
    }

    /// Whether it is gRPC.
    pub fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc | Self::Grpcs)
    }
}

/// A set of protocols.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Protocols(u8);

impl Protocols {
    /// Whether this is one of them.
    pub fn contains(self, protocol: Protocol) -> bool {
        self.0 & Self::bit(protocol) != 0
    }

    fn bit(protocol: Protocol) -> u8 {
        1 << protocol as u8
    }
}

impl FromIterator<Protocol> for Protocols {
    fn from_iter<I: IntoIterator<Item = Protocol>>(protocols: I) -> Self {
        Self(protocols.into_iter().fold(0, |set, protocol| set | Self::bit(protocol)))
    }
}

impl<const N: usize> From<[Protocol; N]> for Protocols {
    fn from(protocols: [Protocol; N]) -> Self {
        protocols.into_iter().collect()
    }
}

/// A route: which requests it takes is the router's business, this is how it treats them.
///
/// What each request looks at comes first in memory, too: see [`Plan`](crate::Plan).
#[derive(Debug, Clone, PartialEq)]
#[repr(C)]
pub struct Route {
    /// The protocols it accepts.
    pub protocols: Protocols,
    /// Whether the matched path prefix is taken off before proxying.
    pub strip_path: bool,
    /// Whether the client's `Host` goes upstream as it came.
    pub preserve_host: bool,
    /// Whether the request's body is read whole before it is sent on (a condition for retries).
    pub request_buffering: bool,
    /// Whether the response may be gathered before it is sent on.
    pub response_buffering: bool,
    /// The status of the answer to cleartext requests on a TLS-only route: 426, 301, 302, 307 or 308.
    pub https_redirect_status_code: u16,
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
}

/// A service: where the requests of its routes go.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: Option<String>,
    /// How to speak to it.
    pub protocol: Protocol,
    /// A host name, an address, or the name of an upstream.
    pub host: String,
    /// The port, unless an upstream's target brings its own.
    pub port: u16,
    /// Put before the request's path; starts with `/`.
    pub path: Option<String>,
    /// How often a failed attempt is repeated (so `retries + 1` attempts at most).
    pub retries: u32,
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// The longest pause between two writes to the upstream.
    pub write_timeout: Duration,
    /// The longest pause between two reads from the upstream.
    pub read_timeout: Duration,
    /// Whom to trust and who to be, if it is reached over TLS.
    pub tls: Option<Tls>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The upstream entity that `host` names, if it names one.
    pub balancing: Option<Arc<Balancing>>,
}

/// Whom to trust and who to be when a service is reached over TLS. What is not said here is left to
/// the gateway's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whether the upstream's certificate is checked (`tls_verify`).
    pub verify: Option<bool>,
    /// How many certificates may stand between the upstream's and a trusted one (`tls_verify_depth`).
    pub depth: Option<u8>,
    /// Certificates of the authorities to trust (`ca_certificates`), in PEM; none are the gateway's.
    pub authorities: Vec<Arc<str>>,
    /// What to show an upstream that asks who we are (`client_certificate`).
    pub identity: Option<KeyPair>,
}

/// A certificate chain and its private key, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The certificate, and those between it and the root.
    pub certificate: Arc<str>,
    /// The private key.
    pub key: Arc<str>,
}

impl fmt::Debug for KeyPair {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in() {
        let set = Protocols::from([Protocol::Http, Protocol::Udp]);
        let all = [Protocol::Http, Protocol::Https, Protocol::Grpc, Protocol::Grpcs, Protocol::Tcp, Protocol::Udp];
        assert_eq!(all.map(|protocol| set.contains(protocol)), [true, false, false, false, false, true]);
        assert!(!Protocols::default().contains(Protocol::Http));
    }
}
