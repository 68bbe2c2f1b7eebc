//! One connection to a server, for one request after another.
//!
//! A [`Connection`] is driven by whoever waits for its response: it has no task and no channel.
//! A request's head is written straight into the connection's buffer, and leaves in one write
//! together with as much of the body as is at hand. The response's headers are slices of what was
//! read; a body that came with the head can be taken at once ([`Body::complete`]), any other is read
//! from the socket while it is asked for. At its end the connection is free for the next request
//! ([`Body::reclaim`]), if it can take one.
//!
//! ```
//! use bytes::Bytes;
//! use http::{HeaderValue, Method, header};
//! use http_body_util::{BodyExt, Full};
//! use tokio::net::TcpStream;
//! use towergate_http1::client::{Connection, Length, Timeouts};
//! # use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::TcpListener};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! # tokio::spawn(async move {
//! #     let (mut stream, _) = listener.accept().await.unwrap();
//! #     for _ in 0..2 {
//! #         let mut head = [0; 4096];
//! #         let count = stream.read(&mut head).await.unwrap();
//! #         assert!(head[..count].starts_with(b"POST /greet?loud HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello"));
//! #         stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
//! #     }
//! # });
//! let mut connection = Connection::new(TcpStream::connect(address).await?);
//! for _ in 0..2 {
//!     let mut request = connection.request(&Method::POST, &["/greet", "?", "loud"]);
//!     request.header(&header::HOST, &HeaderValue::from_static("a.test"));
//!     let body = Full::new(Bytes::from("hello"));
//!     let response = request.send(Length::Known(5), body, Timeouts::default()).await?;
//!     assert_eq!(response.status(), 200);
//!     let mut body = response.into_body();
//!     assert_eq!((&mut body).collect().await?.to_bytes(), "hi");
//!     connection = body.reclaim().ok_or("the server closes")?;
//! }
//! assert_eq!(connection.served(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! # What it sees to
//!
//! - Requests are framed by the [`Length`] they are sent with; no header can say otherwise.
//! - The response may come before the request is over: the rest is sent while its body is read, or
//!   by somebody else ([`Body::poll_request`]).
//! - Interim responses (1xx) are passed over; a 101 hands the stream over ([`Body::upgrade`]).
//! - A response whose end is a matter of opinion is an error, and so is a body that breaks off.
//! - A connection is used again only if the server agrees, the request was sent to its end, the
//!   response was read to its end, and nothing came after it.
//! - [`Timeouts`] count from the last progress, in each direction.
//! - Whatever is dropped before its end closes the connection.
//!
//! # How it differs from hyper's
//!
//! hyper gives each connection a task, to which requests and bodies go through channels; here the
//! caller's task does the work, which takes less of it. For that a connection does nothing while
//! nobody polls it: not even notice that it was closed, which [`Connection::is_open`] asks. It is
//! also stricter about responses: `Transfer-Encoding` must be just `chunked`, without a
//! `Content-Length` beside it.

mod alarm;
mod body;
mod error;
mod exchange;
mod lines;
mod link;
mod outbox;
mod request;
mod sending;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Waker},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::Method;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::head::HeadReader;
use alarm::Alarm;
use link::Waits;
use sending::Sending;

pub use body::Body;
pub use error::{Error, ErrorKind};
pub use exchange::Exchange;
pub use lines::Lines;
pub(crate) use request::Asked;
pub use request::{Length, Request};

/// How much is read at a time while nothing is known about the size of what comes.
const READ: usize = 16 * 1024;

/// A connection to a server that waits for a request; closed when dropped.
pub struct Connection<T> {
    // Boxed once, because a connection is handed on from step to step with each request.
    inner: Box<Inner<T>>,
}

struct Inner<T> {
    io: T,
    buffers: Buffers,
    alarm: Alarm,
    served: u64,
    /// The request of the moment.
    sending: Sending,
    waits: Waits,
    /// For how many lines more than it has the map of the response's headers is to have room.
    room: usize,
}

/// The memory a connection works with. Idle connections need none of it: who keeps many of them
/// takes it from each ([`Connection::take_buffers`]) and gives it to the next one in use.
#[derive(Default)]
pub struct Buffers {
    read: BytesMut,
    /// How large what `read` is a part of is.
    read_size: usize,
    write: Vec<u8>,
    head: HeadReader,
}

/// How long a server may take. Each counts from the last progress, not from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// The longest pause between two reads while the server owes something.
    pub read: Duration,
    /// The longest pause in which it takes nothing of the request.
    pub write: Duration,
}

/// A stream whose protocol was switched, and what came of the new one already.
#[derive(Debug)]
pub struct Upgraded<T> {
    /// The stream.
    pub io: T,
    /// The first bytes of the new protocol.
    pub read: Bytes,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// A connection over this stream. It should send small writes at once (`TCP_NODELAY`).
    pub fn new(io: T) -> Self {
        let (buffers, alarm, sending, waits) = Default::default();
        Self { inner: Box::new(Inner { io, buffers, alarm, served: 0, sending, waits, room: 0 }) }
    }

    /// Begins a request. The parts of `target` are written as they are, one after the other, and must
    /// make a request target (a path with its query, for most): what could end the line is left out.
    pub fn request(self, method: &Method, target: &[&str]) -> Request<T> {
        Request::begin(self, method, target)
    }

    /// Whether the server has neither closed the connection nor sent something unasked, as far as is
    /// known without waiting.
    pub fn is_open(&mut self) -> bool {
        let mut byte = [0; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.inner.io).poll_read(&mut cx, &mut buffer).is_pending()
    }

    /// How many requests were begun on it.
    pub fn served(&self) -> u64 {
        self.inner.served
    }

    /// The stream below.
    pub fn stream(&self) -> &T {
        &self.inner.io
    }

    /// Takes its memory from an idle connection.
    pub fn take_buffers(&mut self) -> Buffers {
        std::mem::take(&mut self.inner.buffers)
    }

    /// Gives it memory to work with, such as another connection has left; without, it takes new one.
    pub fn give_buffers(&mut self, buffers: Buffers) {
        self.inner.buffers = buffers;
    }
}

impl Buffers {
    /// How much memory this is, in bytes.
    pub fn size(&self) -> usize {
        self.read_size.saturating_add(self.write.capacity()).saturating_add(self.head.size())
    }

    /// Sees to room for so many bytes to be read at once; for fewer where others still hold what was
    /// read before, so that it is not new memory each time.
    fn make_room(&mut self, bytes: usize) {
        let Self { read, read_size, .. } = self;
        let room = read.capacity().saturating_sub(read.len());
        if room >= bytes || read.try_reclaim(bytes) || room >= bytes / 4 {
            return;
        }
        if read.is_empty() {
            // To reserve more would also copy what was there before.
            *read = BytesMut::with_capacity(bytes);
        } else {
            read.reserve(bytes);
        }
        *read_size = read.capacity();
    }
}

impl Default for Timeouts {
    /// A minute each.
    fn default() -> Self {
        Self { read: Duration::from_secs(60), write: Duration::from_secs(60) }
    }
}

impl<T> fmt::Debug for Connection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("served", &self.inner.served).finish_non_exhaustive()
    }
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers").field("size", &self.size()).finish_non_exhaustive()
    }
}
