//! The entry of the fuzz target: any bytes as the server's side of a connection.
#![allow(clippy::unwrap_used, clippy::panic, clippy::large_enum_variant, reason = "a fault is to be seen")]

use std::{
    collections::VecDeque,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, Empty};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use towergate_http1::client::{Connection, ErrorKind, Length, Timeouts};

/// A server that has said all it will say: it is read in these pieces, then comes the end.
struct Script(VecDeque<Vec<u8>>);

impl AsyncRead for Script {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(mut piece) = self.0.pop_front() {
            let rest = piece.split_off(piece.len().min(buf.remaining()));
            buf.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What was made of the bytes.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Refused(ErrorKind),
    Response { status: u16, headers: HeaderMap, body: Vec<u8>, trailers: Option<HeaderMap>, end: End },
}

/// How a body ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    Broken(ErrorKind),
    /// With the connection handed over or not.
    Whole {
        switched: bool,
    },
}

/// The response to one request, read from pieces of these bytes.
fn exchange(method: &Method, pieces: VecDeque<Vec<u8>>) -> Seen {
    let exchange = async {
        let request = Connection::new(Script(pieces)).request(method, &["/"]);
        let response = match request.send(Length::None, Empty::<Bytes>::new(), Timeouts::default()).await {
            Ok(response) => response,
            Err(error) => return Seen::Refused(error.kind()),
        };
        let (head, mut stream) = response.into_parts();
        let (mut body, mut trailers, mut broken) = (Vec::new(), None, None);
        while let Some(frame) = stream.frame().await {
            match frame.map(|frame| frame.into_data()) {
                Ok(Ok(data)) => body.extend_from_slice(&data),
                Ok(Err(frame)) => trailers = frame.into_trailers().ok(),
                Err(error) => broken = Some(error.kind()),
            }
        }
        let end = match broken {
            Some(kind) => End::Broken(kind),
            None => End::Whole { switched: stream.is_upgrade() },
        };
        Seen::Response { status: head.status.as_u16(), headers: head.headers, body, trailers, end }
    };
    match pin!(exchange).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(seen) => seen,
        Poll::Pending => panic!("waits for a server that has said all"),
    }
}

/// What is seen of these bytes, which must not depend on the pieces in which they come.
///
/// # Panics
/// When there is a fault in this crate, which is what fuzzing is for.
pub(crate) fn run(data: &[u8]) -> Seen {
    let (choice, bytes) = data.split_first().unwrap_or((&0, &[]));
    let method = match choice % 4 {
        0 => Method::HEAD,
        1 => Method::CONNECT,
        _ => Method::GET,
    };
    let seen = exchange(&method, VecDeque::from([bytes.to_vec()]));
    for size in [1, usize::from(choice / 4) + 2] {
        let pieces = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        assert_eq!(seen, exchange(&method, pieces), "in pieces of {size}");
    }
    if let Seen::Response { headers, body, end: End::Whole { switched: false }, status, .. } = &seen {
        check_length(&method, *status, headers, body);
    }
    seen
}

/// A body is as long as it was said to be.
fn check_length(method: &Method, status: u16, headers: &HeaderMap, body: &[u8]) {
    let bodiless = *method == Method::HEAD || matches!(status, 204 | 304);
    if let Some(said) = headers.get("content-length").filter(|_| !bodiless) {
        let said = said.to_str().unwrap().split(',').next().unwrap().trim();
        assert_eq!(said.parse::<usize>().unwrap(), body.len());
    }
}
