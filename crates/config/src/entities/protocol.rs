//! The protocols a service, route or plugin is for.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// A protocol, under Kong's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Protocol {
    Grpc,
    Grpcs,
    Http,
    Https,
    Tcp,
    Tls,
    TlsPassthrough,
    Udp,
}

impl Protocol {
    /// Kong's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::TlsPassthrough => "tls_passthrough",
            Self::Udp => "udp",
        }
    }

    /// Whether it is HTTP in some form, gRPC included.
    #[must_use]
    pub const fn is_http(self) -> bool {
        matches!(self, Self::Grpc | Self::Grpcs | Self::Http | Self::Https)
    }
}
