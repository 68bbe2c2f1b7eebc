//! One connection from a client.
//!
//! A [`Connection`] is a future. It reads the head of a request, gives the request to its
//! [`Service`], lets the request's [`Body`] be pulled from the socket by whoever polls it, writes the
//! response, and begins again. All of this happens in the task that polls it: there is no other task,
//! no channel, and while nothing is going on no buffer either.
//!
//! # What is taken, and what is not
//!
//! What RFC 9112 does not allow is given to the service as [`Malformed`], for it to say what was
//! wrong, and then the connection is closed. Where the RFC leaves room it is used for refusing: a
//! body has exactly one `Content-Length`, or exactly the transfer coding `chunked` in HTTP/1.1. Two
//! liberties of nginx are left: lines of a head may end in a bare LF, and a few empty lines may stand
//! before a request.
//!
//! A request has either an origin, an absolute, an authority (`CONNECT` alone) or an asterisk target;
//! what that means, and whether `Host` fits, is for the service to judge.
//!
//! # What is said about the connection
//!
//! The service decides what a response says; how its body is framed and whether the connection is
//! kept is decided and said here. A service that wants a connection to end after a response says
//! `Connection: close` in it.
//!
//! # Time
//!
//! Nothing here times out, but the wait for a client that is still sending when everything has been
//! said ([`Config::linger`]). Whoever polls the connection watches over the rest.
//!
//! # Example
//!
//! ```
//! use std::future::{Ready, ready};
//!
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use towergate_http1::server::{Body, Config, Connection, Malformed, Service};
//!
//! struct Greeter;
//!
//! impl Service for Greeter {
//!     type Body = Full<Bytes>;
//!     type Future = Ready<Response<Self::Body>>;
//!
//!     fn call(&mut self, request: Result<Request<Body>, Malformed>) -> Self::Future {
//!         let (status, text) = match request {
//!             Ok(request) => (StatusCode::OK, format!("You asked for {}", request.uri())),
//!             Err(malformed) => (StatusCode::BAD_REQUEST, malformed.to_string()),
//!         };
//!         let mut response = Response::new(Full::from(text));
//!         *response.status_mut() = status;
//!         ready(response)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let (mut client, stream) = tokio::io::duplex(1024);
//! tokio::spawn(Connection::new(stream, Greeter, Config::default()));
//! client.write_all(b"GET /tea HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n").await?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer).await?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! assert!(answer.ends_with("\r\n\r\nYou asked for /tea"));
//! # Ok(())
//! # }
//! ```

mod body;
mod broken;
mod buffers;
mod connection;
mod date;
mod io;
mod malformed;
mod output;
mod own_lines;
mod place;
mod request_head;
mod response_head;
mod scan;

use std::{future::Future, time::Duration};

use bytes::Bytes;
use http::{Request, Response, response};

pub use body::{Body, BodyError};
pub use broken::Broken;
pub use connection::Connection;
pub use malformed::{Fault, Malformed};
pub use own_lines::{Lines, NoLines, OwnLines};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Answers the requests of one connection, one after another.
pub trait Service {
    /// The body of its responses.
    type Body: http_body::Body<Data = Bytes, Error: Into<BoxError>>;

    /// Dropped before its end if the client goes away.
    type Future: Future<Output = Response<Self::Body>>;

    /// Answers a request, or what came instead of one.
    ///
    /// A client that wants to switch protocols has an [`Upgrade`](crate::Upgrade) in the extensions
    /// of its request, and how names of headers were written, if not as usual, stands there as
    /// [`Spelling`](crate::Spelling).
    fn call(&mut self, request: Result<Request<Body>, Malformed>) -> Self::Future;

    /// The header lines that the service adds to the head of this response while it is written.
    fn own_lines<'a>(&'a self, _head: &'a response::Parts, _body: &'a Self::Body) -> impl OwnLines + 'a {
        NoLines
    }
}

/// How much a client may send, and how long it is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Bytes of the request line and of each header line, their ends included. Default 8 KiB.
    pub line: usize,
    /// Bytes of a whole head. Default 40 KiB.
    pub head: usize,
    /// How many header lines a request may have. Default 200.
    pub header_lines: usize,
    /// How long a client may go on sending when the last answer has been given and the connection
    /// is to be closed. Closed at once, it would see a reset instead of the answer. Default 5 s.
    pub linger: Duration,
}

impl Config {
    /// The defaults.
    pub const DEFAULT: Self = Self { line: 8 << 10, head: 40 << 10, header_lines: 200, linger: Duration::from_secs(5) };
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}
