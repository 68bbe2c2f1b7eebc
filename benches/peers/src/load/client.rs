//! What the load needs to know about a protocol.

use std::{io, time::Instant};

use super::{request::Requests, tally::Tally};

/// One end of a connection, apart from the connection: what is to be sent, what was received.
pub(super) trait Client: Sized {
    /// The protocol's name in the handshake of TLS.
    const ALPN: &'static [u8];

    /// A client that will have so many requests under way at once.
    fn new(streams: usize) -> Self;

    /// Whether no request is under way.
    fn is_idle(&self) -> bool;

    /// Begins a request, and asks to send its bytes by appending them to `out`.
    fn ask(&mut self, requests: &mut Requests, now: Instant, out: &mut Vec<u8>);

    /// Takes what was received: tells what was answered, and how many requests that were. What the protocol has to
    /// be said in return is appended to `out`.
    ///
    /// # Errors
    /// If that is nothing to go on with.
    fn take(&mut self, bytes: &[u8], now: Instant, tally: &mut Tally, out: &mut Vec<u8>) -> io::Result<usize>;
}

/// An error about what was received.
pub(super) fn unexpected(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
