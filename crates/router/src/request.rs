//! What the router looks at in a request.

use std::net::SocketAddr;

use http::HeaderMap;

/// The parts of a request, or of a connection, that rules can ask for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method as received. Ignored by streams.
    pub method: &'a str,
    /// How the request came in.
    pub scheme: Scheme,
    /// The `Host` header without its port (see [`split_host`](crate::split_host)), in any letter
    /// case; empty if there is none.
    pub host: &'a str,
    /// The port from the `Host` header, or else the listener's.
    pub port: u16,
    /// The path without the query, as [`path::normalize`](crate::path::normalize) returns it.
    pub path: &'a str,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The TLS server name; `None` says that the connection is not TLS, `Some("")` that the client
    /// named nobody.
    pub sni: Option<&'a str>,
    /// The client's address; rules with `sources` do not match without it.
    pub source: Option<SocketAddr>,
    /// The address the client connected to; rules with `destinations` do not match without it.
    pub destination: Option<SocketAddr>,
}

/// How a request or connection came in: as the client spoke, not as a header in front claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// HTTP without TLS.
    Http,
    /// HTTP over TLS.
    Https,
    /// gRPC without TLS; matched exactly like `Http`.
    Grpc,
    /// gRPC over TLS; matched exactly like `Https`.
    Grpcs,
    /// A TCP connection without TLS: finds rules with protocol `tcp`.
    Tcp,
    /// A TCP connection with TLS: finds `tls`, `tls_passthrough` and `tcp` rules.
    Tls,
    /// Datagrams: finds rules with protocol `udp`.
    Udp,
}
