//! A request on its way out.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body as HttpBody, Frame};
use tokio::io::AsyncWrite;

use super::{
    Length,
    error::{BoxError, Error, ErrorKind},
    outbox::Outbox,
};
use crate::{
    chunked::{self, ALL_ENDS, CHUNK_END, LAST_CHUNK, LAST_CHUNK_HEAD},
    spelling,
};

/// The request: what of it stands ready to be written, and how its body is. It stays with the connection; only the body
/// itself is handed on with the request, and is `None` when it has given everything.
#[derive(Debug)]
pub(super) struct Sending {
    outbox: Outbox,
    coding: Coding,
    /// Whether something was written that the stream may still hold back.
    unflushed: bool,
    started: bool,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum Coding {
    /// So many bytes are still to come.
    Length(u64),
    Chunked {
        trailers: bool,
    },
}

/// How far a request has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Its body gives nothing at the moment.
    Waiting,
    /// The server takes nothing at the moment.
    Blocked,
    /// It is sent to its end.
    Sent,
    /// It will not be sent to its end.
    Broken,
}

impl Sending {
    /// Begins a request in this buffer: where its head is to be written.
    pub(super) fn begin(&mut self, mut buffer: Vec<u8>) -> &mut Vec<u8> {
        buffer.clear();
        *self = Self { outbox: Outbox::with(buffer), ..Self::default() };
        self.head()
    }

    /// The head, while it is written.
    pub(super) fn head(&mut self) -> &mut Vec<u8> {
        self.outbox.small()
    }

    /// The head is written; what comes after it. Answers the body if it is to be asked for anything.
    pub(super) fn start<B>(&mut self, length: Length, body: B) -> Option<B> {
        (self.unflushed, self.state) = (true, State::Waiting);
        let (coding, body) = match length {
            Length::None | Length::Known(0) => (Coding::Length(0), None),
            Length::Known(bytes) => (Coding::Length(bytes), Some(body)),
            Length::Unknown { trailers } => (Coding::Chunked { trailers }, Some(body)),
        };
        self.coding = coding;
        body
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Whether there is nothing more to send.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Sent | State::Broken)
    }

    /// Whether any byte was written.
    pub(super) fn is_started(&self) -> bool {
        self.started
    }

    /// Ends the request where it is.
    pub(super) fn break_off(&mut self) {
        self.state = State::Broken;
    }

    /// The buffer of a request that is over.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outbox).into_buffer()
    }

    /// Sends as much as goes now; whether anything was written. `Waiting`, `Blocked` or `Sent` then
    /// says why no more. An I/O error is the connection's, any other the body's.
    pub(super) fn send<T, B>(
        &mut self,
        body: &mut Option<B>,
        cx: &mut Context<'_>,
        io: &mut T,
    ) -> Result<bool, SendError>
    where
        T: AsyncWrite + Unpin,
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        let mut progress = false;
        loop {
            self.fill(body, cx).map_err(SendError::Body)?;
            let blocked = match self.poll_out(cx, io) {
                Poll::Ready(Ok(written)) if written > 0 => {
                    progress = true;
                    continue;
                }
                Poll::Ready(Ok(_)) => false,
                Poll::Ready(Err(cause)) => return Err(SendError::Io(cause)),
                Poll::Pending => true,
            };
            self.state = match (blocked, &body) {
                (true, _) => State::Blocked,
                (false, Some(_)) => State::Waiting,
                (false, None) => State::Sent,
            };
            return Ok(progress);
        }
    }

    /// Writes, or, with nothing to write, flushes: ready with 0 when all is out.
    fn poll_out<T: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, io: &mut T) -> Poll<io::Result<usize>> {
        if !self.outbox.is_empty() {
            let written = ready!(self.outbox.poll_write(cx, io))?;
            (self.started, self.unflushed) = (true, true);
            return Poll::Ready(Ok(written));
        }
        if self.unflushed {
            ready!(Pin::new(io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(0))
    }

    /// Takes from the body what there is room for.
    fn fill<B>(&mut self, body: &mut Option<B>, cx: &mut Context<'_>) -> Result<(), Error>
    where
        B: HttpBody<Data = Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        while self.outbox.has_room() {
            let Some(source) = body else { break };
            let has_more = match Pin::new(&mut *source).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => self.end().map(|()| false)?,
                Poll::Ready(Some(Ok(frame))) => self.put(frame, source)?,
                Poll::Ready(Some(Err(cause))) => return Err(Error::new(ErrorKind::RequestBody).because(cause)),
            };
            if !has_more {
                *body = None;
            }
        }
        Ok(())
    }

    /// Puts what the body gave in; whether it is to be asked for more.
    fn put(&mut self, frame: Frame<Bytes>, body: &impl HttpBody) -> Result<bool, Error> {
        match frame.into_data() {
            Ok(data) if data.is_empty() => Ok(true),
            Ok(data) => self.put_data(data, body),
            Err(frame) => match (self.coding, frame.into_trailers()) {
                (Coding::Chunked { trailers: true }, Ok(trailers)) => {
                    put_trailers(self.outbox.small(), &trailers);
                    Ok(false)
                }
                _ => Ok(true),
            },
        }
    }

    fn put_data(&mut self, data: Bytes, body: &impl HttpBody) -> Result<bool, Error> {
        match &mut self.coding {
            Coding::Length(left) => {
                let size = data.len() as u64;
                *left = left.checked_sub(size).ok_or_else(|| mismatch("longer than announced"))?;
                let has_more = *left > 0;
                self.outbox.put(data, b"");
                Ok(has_more)
            }
            Coding::Chunked { .. } => {
                chunked::put_chunk_head(self.outbox.small(), data.len());
                let ended = body.is_end_stream();
                self.outbox.put(data, if ended { ALL_ENDS } else { CHUNK_END });
                Ok(!ended)
            }
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        match self.coding {
            Coding::Length(0) => {}
            Coding::Length(_) => return Err(mismatch("shorter than announced")),
            Coding::Chunked { .. } => self.outbox.small().extend_from_slice(LAST_CHUNK),
        }
        Ok(())
    }
}

impl Default for Sending {
    /// Nothing is to be sent.
    fn default() -> Self {
        let (outbox, coding) = (Outbox::default(), Coding::Length(0));
        Self { outbox, coding, unflushed: false, started: false, state: State::Sent }
    }
}

/// Why a request was not sent to its end.
#[derive(Debug)]
pub(super) enum SendError {
    /// The connection does not take it.
    Io(io::Error),
    /// Its body is broken.
    Body(Error),
}

fn mismatch(what: &'static str) -> Error {
    Error::new(ErrorKind::RequestBody).because(what)
}

/// What frames messages is no business of a trailer.
fn put_trailers(out: &mut Vec<u8>, trailers: &HeaderMap) {
    out.extend_from_slice(LAST_CHUNK_HEAD);
    for (name, value) in trailers {
        if matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::TRAILER) {
            continue;
        }
        spelling::put_name(out, name, None);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}
