//! The head of a request, written as it goes out.

use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use http_body::Body as HttpBody;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Connection, Exchange, Timeouts, error::BoxError, link::Link, outbox::Outbox, sending::Sending};
use crate::spelling::{self, Spelling};

/// How the body of a request is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// There is none, and nothing is said about it.
    None,
    /// So many bytes: `Content-Length`.
    Known(u64),
    /// As many as come, in chunks: `Transfer-Encoding: chunked`. With `trailers` those of the body
    /// follow it; otherwise they are dropped.
    Unknown {
        /// Whether trailers are sent.
        trailers: bool,
    },
}

/// A request that is being written. Headers go out in the order they are given, each name in its
/// usual spelling; dropping the request closes the connection.
pub struct Request<T> {
    connection: Connection<T>,
    out: Vec<u8>,
    method: Method,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Request<T> {
    pub(super) fn begin(mut connection: Connection<T>, method: &Method, target: &[&str]) -> Self {
        connection.inner.served = connection.inner.served.saturating_add(1);
        let mut out = std::mem::take(&mut connection.inner.buffers.write);
        out.clear();
        out.extend_from_slice(method.as_str().as_bytes());
        out.push(b' ');
        for part in target {
            put_clean(&mut out, part.as_bytes(), |byte| matches!(byte, 0..=b' ' | 0x7f));
        }
        out.extend_from_slice(b" HTTP/1.1\r\n");
        Self { connection, out, method: method.clone() }
    }

    /// Writes a header.
    pub fn header(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.header_spelled(name, value, None);
    }

    /// Writes a header whose name is spelled as it once came, if that is remembered.
    pub fn header_spelled(&mut self, name: &HeaderName, value: &HeaderValue, spelling: Option<&Spelling>) {
        if !is_framing(name) {
            spelling::put_name(&mut self.out, name, spelling);
            self.out.extend_from_slice(b": ");
            self.out.extend_from_slice(value.as_bytes());
            self.out.extend_from_slice(b"\r\n");
        }
    }

    /// Writes a header of the caller's own: its name must be one and stands there as it is to be written, its value in
    /// several parts, which need not be joined first. Bytes that no value may have are left out.
    pub fn header_of(&mut self, name: &'static str, parts: &[&[u8]]) {
        if ["content-length", "transfer-encoding"].iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
            return;
        }
        self.out.extend_from_slice(name.as_bytes());
        self.put_value(parts);
    }

    fn put_value(&mut self, parts: &[&[u8]]) {
        self.out.extend_from_slice(b": ");
        for part in parts {
            put_clean(&mut self.out, part, |byte| matches!(byte, 0..=8 | 10..=31 | 0x7f));
        }
        self.out.extend_from_slice(b"\r\n");
    }

    /// Sends the request with this body and waits for the response.
    ///
    /// A body that ends too early for its length, or goes on after it, is an error.
    pub fn send<B>(mut self, length: Length, body: B, timeouts: Timeouts) -> Exchange<T, B>
    where
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        match length {
            Length::None => {}
            Length::Known(bytes) => put_length(&mut self.out, bytes),
            Length::Unknown { .. } => self.out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        }
        self.out.extend_from_slice(b"\r\n");
        let sending = Sending::new(Outbox::with(self.out), length, body);
        Exchange::new(Link::new(self.connection, sending, timeouts), self.method)
    }
}

/// Whether a header says where the body ends, which only [`Length`] does.
fn is_framing(name: &HeaderName) -> bool {
    matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING)
}

/// Writes text without the bytes that must not be in it.
fn put_clean(out: &mut Vec<u8>, text: &[u8], bad: impl Fn(u8) -> bool) {
    // Without a way out of it in the middle, so that it is done for many bytes at once.
    if text.iter().fold(false, |any, byte| any | bad(*byte)) {
        out.extend(text.iter().copied().filter(|byte| !bad(*byte)));
    } else {
        out.extend_from_slice(text);
    }
}

fn put_length(out: &mut Vec<u8>, bytes: u64) {
    use std::io::Write;
    // Writing to a vector does not fail.
    let _ = write!(out, "Content-Length: {bytes}\r\n");
}

impl<T> fmt::Debug for Request<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}
