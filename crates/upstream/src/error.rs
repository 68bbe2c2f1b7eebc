//! What may go wrong on the way to an upstream, and how the client is told.

use std::{fmt, net::SocketAddr, time::Duration};

use http::{Method, StatusCode};
use towergate_core::{BoxError, Fault, Protocol, Reply};

/// Whose side a failure was on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client broke off or sent something broken.
    Client,
    /// The upstream did not answer, or not in HTTP.
    Upstream,
    /// The gateway itself: its configuration, its name resolution, its resources.
    Gateway,
}

impl Side {
    /// In one word, for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Gateway => "gateway",
        }
    }
}

/// Why a request got no answer from an upstream, or not the whole of it.
///
/// Its `Display` is for the log and names neither headers nor bodies. What the client reads is
/// decided in one place: 400 for a broken request body, 502, 503 or 504 otherwise.
#[derive(Debug)]
pub struct Error {
    // Boxed, so that what usually goes well is small where it is handed on.
    failure: Box<Failure>,
}

#[derive(Debug)]
struct Failure {
    kind: Kind,
    unsent: bool,
    unheard: bool,
    source: Option<BoxError>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// The matched route has no service.
    NoService,
    /// The plan has a service, but this proxy was given no way to it.
    NoDestination,
    /// No target of the upstream may be used.
    NoPeer,
    /// No target may be tried now: the request's gate has refused all that are left.
    Barred,
    /// The upstream has as many requests as it is given at the same time; when to ask again.
    Full(Duration),
    /// A protocol that is not spoken yet.
    Unsupported(Protocol),
    /// A name has no address.
    Resolve(String),
    /// Whether a name has an address could not be found out, and why.
    Unresolved(String, String),
    /// The request as it would go upstream cannot be written.
    BadRequest,
    /// The client's body ended in an error.
    ClientBody(String),
    /// No connection.
    Connect(SocketAddr),
    /// No connection in time.
    ConnectTimeout(SocketAddr, Duration),
    /// A connection, but no agreement on TLS.
    Handshake(SocketAddr),
    /// A connection, but no agreement on TLS in time.
    HandshakeTimeout(SocketAddr, Duration),
    /// Certificates or keys of the service that cannot be read.
    Certificates(String),
    /// The connection ended before an answer, or within one.
    Closed,
    /// The upstream took no bytes for so long.
    WriteTimeout(Duration),
    /// The upstream gave no bytes for so long.
    ReadTimeout(Duration),
    /// The head of an attempt's answer did not come within this limit of its own.
    TryTimeout(Duration),
    /// No answer began within this limit for all attempts together.
    Deadline(Duration),
    /// What the upstream sent is not an HTTP response.
    BadResponse,
    /// The upstream gave the request up (HTTP/2's `RST_STREAM`).
    Reset(h2::Reason),
}

impl Error {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { failure: Box::new(Failure { kind, unsent: false, unheard: false, source: None }) }
    }

    #[must_use]
    pub(crate) fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.failure.source = Some(source.into());
        self
    }

    /// Notes that not a byte of the request can have reached the upstream, or that it did nothing about it.
    #[must_use]
    pub(crate) fn unsent(self) -> Self {
        self.told(true, true)
    }

    /// Notes whether not a byte of the request can have reached the upstream, and whether not a byte
    /// of a response has come.
    #[must_use]
    pub(crate) fn told(mut self, unsent: bool, unheard: bool) -> Self {
        (self.failure.unsent, self.failure.unheard) = (unsent, unheard);
        self
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.failure.kind
    }

    /// Whose side it was on.
    pub fn side(&self) -> Side {
        match self.failure.kind {
            Kind::ClientBody(_) | Kind::BadRequest => Side::Client,
            Kind::NoService
            | Kind::NoDestination
            | Kind::NoPeer
            | Kind::Barred
            | Kind::Full(_)
            | Kind::Unsupported(_)
            | Kind::Resolve(_)
            | Kind::Unresolved(..)
            | Kind::Certificates(_) => Side::Gateway,
            Kind::Connect(_)
            | Kind::ConnectTimeout(..)
            | Kind::Handshake(_)
            | Kind::HandshakeTimeout(..)
            | Kind::Closed
            | Kind::WriteTimeout(_)
            | Kind::ReadTimeout(_)
            | Kind::TryTimeout(_)
            | Kind::Deadline(_)
            | Kind::BadResponse
            | Kind::Reset(_) => Side::Upstream,
        }
    }

    /// Whether the upstream was too slow.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.failure.kind,
            Kind::ConnectTimeout(..)
                | Kind::HandshakeTimeout(..)
                | Kind::WriteTimeout(_)
                | Kind::ReadTimeout(_)
                | Kind::TryTimeout(_)
                | Kind::Deadline(_)
        )
    }

    /// The same, told once more.
    pub(crate) fn again(&self) -> Self {
        let source = self.failure.source.as_ref().map(|source| source.to_string().into());
        Self { failure: Box::new(Failure { kind: self.failure.kind.clone(), source, ..*self.failure }) }
    }

    /// Whether the connection ended.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.failure.kind, Kind::Closed)
    }

    /// Whether not a byte of the request can have counted for the upstream.
    pub(crate) fn is_unsent(&self) -> bool {
        self.failure.unsent
    }

    /// Whether there was no connection to send the request on.
    pub fn is_connect(&self) -> bool {
        matches!(
            self.failure.kind,
            Kind::Connect(_) | Kind::ConnectTimeout(..) | Kind::Handshake(_) | Kind::HandshakeTimeout(..)
        )
    }

    /// Whether it was the request's gate that let no target be tried.
    pub(crate) fn is_barred(&self) -> bool {
        matches!(self.failure.kind, Kind::Barred)
    }

    /// Whether the upstream has as many requests as it is given.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.failure.kind, Kind::Full(_))
    }

    /// The same in the words of the [`Context`](towergate_core::Context), for those who count.
    pub fn fault(&self) -> Fault {
        match self.side() {
            Side::Client => Fault::Client,
            Side::Gateway => Fault::Gateway,
            Side::Upstream if self.is_timeout() => Fault::Timeout,
            Side::Upstream if self.is_connect() => Fault::Connect,
            Side::Upstream => Fault::Response,
        }
    }

    /// Whether the connection ended before a byte of a response had come.
    pub(crate) fn is_unheard_close(&self) -> bool {
        self.failure.unheard && matches!(self.failure.kind, Kind::Closed)
    }

    /// Whether another attempt makes sense for a request of this method: always if nothing of it
    /// was sent; otherwise if the upstream broke off or was too slow and the method is not one of
    /// those that must not be repeated (`POST`, `LOCK`, `PATCH`). A response that is not HTTP is
    /// no reason to ask again.
    pub fn is_retryable(&self, method: &Method) -> bool {
        self.is_retryable_if(is_repeatable(method))
    }

    /// The same for a request that may, or may not, be sent again after the upstream may have seen it.
    pub(crate) fn is_retryable_if(&self, is_repeatable: bool) -> bool {
        match self.failure.kind {
            Kind::Connect(_) | Kind::ConnectTimeout(..) | Kind::Handshake(_) | Kind::HandshakeTimeout(..) => true,
            Kind::Closed | Kind::WriteTimeout(_) | Kind::ReadTimeout(_) | Kind::TryTimeout(_) => {
                self.failure.unsent || is_repeatable
            }
            _ => false,
        }
    }

    /// The status the client reads.
    pub fn status(&self) -> StatusCode {
        match self.failure.kind {
            Kind::ClientBody(_) | Kind::BadRequest => StatusCode::BAD_REQUEST,
            Kind::NoDestination | Kind::Unresolved(..) => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::NoService | Kind::NoPeer | Kind::Barred | Kind::Full(_) | Kind::Resolve(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Kind::ConnectTimeout(..)
            | Kind::HandshakeTimeout(..)
            | Kind::WriteTimeout(_)
            | Kind::ReadTimeout(_)
            | Kind::TryTimeout(_)
            | Kind::Deadline(_) => StatusCode::GATEWAY_TIMEOUT,
            Kind::Unsupported(_)
            | Kind::Certificates(_)
            | Kind::Connect(_)
            | Kind::Handshake(_)
            | Kind::Closed
            | Kind::BadResponse
            | Kind::Reset(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// The answer the client reads, in Kong's words.
    pub fn reply(&self) -> Reply {
        let status = self.status();
        match self.failure.kind {
            Kind::NoService => Reply::error(status, "no Service found with those values"),
            Kind::NoPeer => Reply::error(status, "failure to get a peer from the ring-balancer"),
            Kind::Full(wait) => {
                // In whole seconds, and none too few.
                let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
                Reply::fault(status).with_header(http::header::RETRY_AFTER, seconds.into())
            }
            Kind::Resolve(_) => Reply::error(status, "name resolution failed"),
            Kind::Unresolved(ref name, ref why) => {
                Reply::error(status, format!("failed the initial dns/balancer resolve for '{name}' with: {why}"))
            }
            _ => Reply::fault(status),
        }
    }
}

/// Whether a request of this method may be sent again after the upstream may have seen it.
fn is_repeatable(method: &Method) -> bool {
    !matches!(method.as_str(), "POST" | "LOCK" | "PATCH")
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure.kind {
            Kind::NoService => f.write_str("the route has no service"),
            Kind::NoDestination => f.write_str("the plan has a service but no destination made for it"),
            Kind::NoPeer => f.write_str("no target of the upstream can be used"),
            Kind::Barred => f.write_str("no target may be tried now"),
            Kind::Full(_) => f.write_str("the upstream has as many requests as it is given"),
            Kind::Unsupported(protocol) => {
                write!(f, "upstreams over {} come with a later version", protocol.as_str())
            }
            Kind::Resolve(name) => write!(f, "no address found for `{name}`"),
            Kind::Unresolved(name, why) => write!(f, "no address found for `{name}`: {why}"),
            Kind::BadRequest => f.write_str("the request cannot be written as HTTP"),
            Kind::ClientBody(cause) => write!(f, "the client's body broke off: {cause}"),
            Kind::Connect(address) => write!(f, "no connection to {address}"),
            Kind::ConnectTimeout(address, limit) => write!(f, "no connection to {address} within {limit:?}"),
            Kind::Handshake(address) => write!(f, "no agreement on TLS with {address}"),
            Kind::HandshakeTimeout(address, limit) => write!(f, "no agreement on TLS with {address} within {limit:?}"),
            Kind::Certificates(why) => write!(f, "the service's certificates cannot be used: {why}"),
            Kind::Closed => f.write_str("the upstream closed the connection too early"),
            Kind::WriteTimeout(limit) => write!(f, "the upstream took nothing for {limit:?}"),
            Kind::ReadTimeout(limit) => write!(f, "the upstream sent nothing for {limit:?}"),
            Kind::TryTimeout(limit) => write!(f, "the attempt was not answered within {limit:?}"),
            Kind::Deadline(limit) => write!(f, "the request was not answered within {limit:?}"),
            Kind::BadResponse => f.write_str("the upstream's answer is not HTTP"),
            Kind::Reset(reason) => write!(f, "the upstream reset the request's stream: {reason}"),
        }?;
        match &self.failure.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failure.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 1).into()
    }

    #[test]
    fn each_cause_has_its_status_and_side() {
        let limit = Duration::from_secs(1);
        for (kind, status, side, fault) in [
            (Kind::NoService, 503, Side::Gateway, Fault::Gateway),
            (Kind::NoPeer, 503, Side::Gateway, Fault::Gateway),
            (Kind::Barred, 503, Side::Gateway, Fault::Gateway),
            (Kind::Full(limit), 503, Side::Gateway, Fault::Gateway),
            (Kind::Resolve("x".into()), 503, Side::Gateway, Fault::Gateway),
            (Kind::Unresolved("x".into(), "y".into()), 500, Side::Gateway, Fault::Gateway),
            (Kind::Unsupported(Protocol::Https), 502, Side::Gateway, Fault::Gateway),
            (Kind::Certificates("x".into()), 502, Side::Gateway, Fault::Gateway),
            (Kind::Connect(address()), 502, Side::Upstream, Fault::Connect),
            (Kind::Handshake(address()), 502, Side::Upstream, Fault::Connect),
            (Kind::HandshakeTimeout(address(), limit), 504, Side::Upstream, Fault::Timeout),
            (Kind::Closed, 502, Side::Upstream, Fault::Response),
            (Kind::BadResponse, 502, Side::Upstream, Fault::Response),
            (Kind::Reset(h2::Reason::INTERNAL_ERROR), 502, Side::Upstream, Fault::Response),
            (Kind::ConnectTimeout(address(), limit), 504, Side::Upstream, Fault::Timeout),
            (Kind::ReadTimeout(limit), 504, Side::Upstream, Fault::Timeout),
            (Kind::WriteTimeout(limit), 504, Side::Upstream, Fault::Timeout),
            (Kind::TryTimeout(limit), 504, Side::Upstream, Fault::Timeout),
            (Kind::Deadline(limit), 504, Side::Upstream, Fault::Timeout),
            (Kind::ClientBody("x".into()), 400, Side::Client, Fault::Client),
        ] {
            let error = Error::new(kind);
            assert_eq!((error.status().as_u16(), error.side(), error.fault()), (status, side, fault), "{error}");
            assert_eq!(error.reply().status(), error.status());
        }
    }

    #[test]
    fn the_balancers_refusals_use_its_words() {
        for (kind, message) in [
            (Kind::NoService, "no Service found with those values"),
            (Kind::NoPeer, "failure to get a peer from the ring-balancer"),
            (Kind::Resolve("x".into()), "name resolution failed"),
            (Kind::Closed, "An invalid response was received from the upstream server"),
            (Kind::ReadTimeout(Duration::ZERO), "The upstream server is timing out"),
        ] {
            assert_eq!(Error::new(kind).reply().message(), Some(message));
        }
    }

    #[test]
    fn what_may_be_repeated_depends_on_the_method_once_something_was_sent() {
        let lock = Method::from_bytes(b"LOCK").unwrap();
        for (method, repeatable) in [
            (Method::GET, true),
            (Method::PUT, true),
            (Method::DELETE, true),
            (Method::POST, false),
            (Method::PATCH, false),
            (lock, false),
        ] {
            assert!(Error::new(Kind::Connect(address())).is_retryable(&method));
            assert!(Error::new(Kind::Handshake(address())).is_retryable(&method));
            assert!(Error::new(Kind::Closed).told(true, true).is_retryable(&method));
            assert_eq!(Error::new(Kind::Closed).is_retryable(&method), repeatable, "{method}");
            assert_eq!(Error::new(Kind::ReadTimeout(Duration::ZERO)).is_retryable(&method), repeatable);
            assert!(!Error::new(Kind::BadResponse).is_retryable(&method));
            assert!(!Error::new(Kind::Reset(h2::Reason::CANCEL)).is_retryable(&method));
            assert!(!Error::new(Kind::ClientBody(String::new())).is_retryable(&method));
        }
    }
}
