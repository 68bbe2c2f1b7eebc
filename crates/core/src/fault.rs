//! Why a request was not passed on.

/// Why the proxying service answered a request itself: what its own 400, 502, 503 or 504 stands
/// for. Whoever counts failures of an upstream reads it from
/// [`Context::fault`](crate::Context::fault), because statuses do not tell: a 504 may be the
/// upstream's own, and a 503 may only say that the configuration names no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// There was no connection: refused, unreachable, or no agreement on TLS.
    Connect,
    /// Connecting, writing or reading took too long.
    Timeout,
    /// The connection broke before an answer, or the answer was not HTTP.
    Response,
    /// The client broke off or sent something broken: says nothing about the upstream.
    Client,
    /// The gateway itself (no service, no target, no address for a name): says nothing about the
    /// upstream either.
    Gateway,
}
