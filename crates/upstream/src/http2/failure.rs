//! What the protocol's errors mean to a proxy.

use std::{io, time::Duration};

use h2::Reason;

use crate::error::{Error, Kind};

/// Whether the upstream has said that it did nothing about the request (RFC 9113 section 8.7): it
/// refused the stream, or it said goodbye and the stream was none of those it would still serve.
fn is_unprocessed(error: &h2::Error) -> bool {
    let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    // A stream that goodbye does not concern ends with the connection, in an I/O error.
    error.is_remote() && (error.is_go_away() || is_refused)
}

/// The error of a stream. `write_timeout` is how long its socket waits for a write.
pub(crate) fn of_stream(error: h2::Error, write_timeout: Duration) -> Error {
    let io = error.get_io().map(io::Error::kind);
    let kind = match (io, error.reason()) {
        (Some(io::ErrorKind::TimedOut), _) => Kind::WriteTimeout(write_timeout),
        (Some(_), _) => Kind::Closed,
        _ if is_unprocessed(&error) => return Error::new(Kind::Closed).because(error).unsent(),
        (None, Some(reason)) if error.is_remote() && error.is_reset() => return Error::new(Kind::Reset(reason)),
        _ => Kind::BadResponse,
    };
    Error::new(kind).because(error)
}
