//! The head of a request, written as it goes out.

use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use http_body::Body as HttpBody;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use super::{Connection, Exchange, Lines, Timeouts, error::BoxError, link::Link};
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
    asked: Asked,
    begun: Option<Instant>,
}

/// What was asked for, as far as it says where the response ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `HEAD`.
    Head,
    /// `CONNECT`.
    Connect,
    /// Anything else.
    Other,
}

impl From<&Method> for Asked {
    fn from(method: &Method) -> Self {
        match *method {
            Method::HEAD => Self::Head,
            Method::CONNECT => Self::Connect,
            _ => Self::Other,
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Request<T> {
    pub(super) fn begin(mut connection: Connection<T>, method: &Method, target: &[&str]) -> Self {
        let inner = &mut *connection.inner;
        inner.served = inner.served.saturating_add(1);
        inner.room = 0;
        let out = inner.sending.begin(std::mem::take(&mut inner.buffers.write));
        out.extend_from_slice(method.as_str().as_bytes());
        out.push(b' ');
        for part in target {
            put_clean(out, part.as_bytes(), b'!', |byte| matches!(byte, 0..=b' ' | 0x7f));
        }
        out.extend_from_slice(b" HTTP/1.1\r\n");
        Self { connection, asked: method.into(), begun: None }
    }

    /// Says that it is this moment, from which the wait for the response then counts: whoever knows spares the clock a
    /// reading.
    #[must_use]
    pub fn begun(mut self, now: Instant) -> Self {
        self.begun = Some(now);
        self
    }

    /// Writes a header.
    pub fn header(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.header_spelled(name, value, None);
    }

    /// Writes a header whose name is spelled as it once came, if that is remembered.
    pub fn header_spelled(&mut self, name: &HeaderName, value: &HeaderValue, spelling: Option<&Spelling>) {
        if !is_framing(name) {
            let out = self.head();
            spelling::put_name(out, name, spelling);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Writes a header in its usual spelling. The bytes of the value must be such as one may have.
    pub fn header_text(&mut self, name: &HeaderName, value: &[u8]) {
        if !is_framing(name) {
            let out = self.head();
            spelling::put_name(out, name, None);
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Writes a header of the caller's own: its name must be one and stands there as it is to be written, its value in
    /// several parts, which need not be joined first. Bytes that no value may have are left out.
    pub fn header_of(&mut self, name: &'static str, parts: &[&[u8]]) {
        put_own(self.head(), name, parts);
    }

    /// Writes lines that were made before.
    pub fn lines(&mut self, lines: &Lines) {
        self.head().extend_from_slice(lines.as_bytes());
    }

    /// Writes `Connection: keep-alive`, for servers that speak HTTP/1.0.
    pub fn keep_alive(&mut self) {
        self.head().extend_from_slice(b"Connection: keep-alive\r\n");
    }

    /// Says how many lines will be added to the head of the response, so that its map has room for them from the
    /// beginning.
    #[must_use]
    pub fn room(mut self, lines: usize) -> Self {
        self.connection.inner.room = lines;
        self
    }

    fn head(&mut self) -> &mut Vec<u8> {
        self.connection.inner.sending.head()
    }

    /// Sends the request with this body and waits for the response.
    ///
    /// A body that ends too early for its length, or goes on after it, is an error.
    pub fn send<B>(mut self, length: Length, body: B, timeouts: Timeouts) -> Exchange<T, B>
    where
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        let out = self.head();
        match length {
            Length::None => {}
            Length::Known(bytes) => put_length(out, bytes),
            Length::Unknown { .. } => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        }
        out.extend_from_slice(b"\r\n");
        Exchange::new(Link::new(self.connection, length, body, timeouts, self.begun), self.asked)
    }
}

/// Writes a header line of the caller's own, unless it would frame the request.
pub(super) fn put_own(out: &mut Vec<u8>, name: &'static str, parts: &[&[u8]]) {
    if ["content-length", "transfer-encoding"].iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
        return;
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    for part in parts {
        put_clean(out, part, b' ', |byte| matches!(byte, 0..=8 | 10..=31 | 0x7f));
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether a header says where the body ends, which only [`Length`] does.
fn is_framing(name: &HeaderName) -> bool {
    matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING)
}

/// Writes text without the bytes that must not be in it: each `bad` one is below `least`, or a DEL.
fn put_clean(out: &mut Vec<u8>, text: &[u8], least: u8, bad: impl Fn(u8) -> bool) {
    if may_hold(text, least) {
        out.extend(text.iter().copied().filter(|byte| !bad(*byte)));
    } else {
        out.extend_from_slice(text);
    }
}

/// Whether a byte of this text is below `least` (at most 128) or is a DEL: eight at a time, as most texts are short.
fn may_hold(text: &[u8], least: u8) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    let below = |bytes: u64, limit: u8| bytes.wrapping_sub(ONES.wrapping_mul(limit.into())) & !bytes & TOPS;
    let found = |bytes: [u8; 8]| {
        let bytes = u64::from_ne_bytes(bytes);
        below(bytes, least) | below(bytes ^ ONES.wrapping_mul(0x7f), 1)
    };
    let (eights, rest) = text.as_chunks::<8>();
    let any = eights.iter().fold(0, |any, bytes| any | found(*bytes));
    any != 0 || rest.iter().any(|byte| *byte < least || *byte == 0x7f)
}

fn put_length(out: &mut Vec<u8>, bytes: u64) {
    use std::io::Write;
    // Writing to a vector does not fail.
    let _ = write!(out, "Content-Length: {bytes}\r\n");
}

impl<T> fmt::Debug for Request<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("asked", &self.asked).finish_non_exhaustive()
    }
}
