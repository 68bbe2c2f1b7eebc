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

/// The request: what of it stands ready to be written, and the body that is still to give more.
pub(super) struct Sending<B> {
    outbox: Outbox,
    /// `None` when it has given everything.
    body: Option<B>,
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

impl<B> Sending<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    /// A request whose head is in the outbox.
    pub(super) fn new(outbox: Outbox, length: Length, body: B) -> Self {
        let (coding, body) = match length {
            Length::None | Length::Known(0) => (Coding::Length(0), None),
            Length::Known(bytes) => (Coding::Length(bytes), Some(body)),
            Length::Unknown { trailers } => (Coding::Chunked { trailers }, Some(body)),
        };
        Self { outbox, body, coding, unflushed: true, started: false, state: State::Waiting }
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
        self.body = None;
    }

    /// The buffer of a request that is over.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.outbox.into_buffer()
    }

    /// Sends as much as goes now; whether anything was written. `Waiting`, `Blocked` or `Sent` then
    /// says why no more. An I/O error is the connection's, any other the body's.
    pub(super) fn send<T>(&mut self, cx: &mut Context<'_>, io: &mut T) -> Result<bool, SendError>
    where
        T: AsyncWrite + Unpin,
    {
        let mut progress = false;
        loop {
            self.fill(cx).map_err(SendError::Body)?;
            let blocked = match self.poll_out(cx, io) {
                Poll::Ready(Ok(written)) if written > 0 => {
                    progress = true;
                    continue;
                }
                Poll::Ready(Ok(_)) => false,
                Poll::Ready(Err(cause)) => return Err(SendError::Io(cause)),
                Poll::Pending => true,
            };
            self.state = match (blocked, &self.body) {
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
    fn fill(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while self.outbox.has_room() {
            let Some(body) = &mut self.body else { break };
            match Pin::new(body).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => self.end()?,
                Poll::Ready(Some(Ok(frame))) => self.put(frame)?,
                Poll::Ready(Some(Err(cause))) => return Err(Error::new(ErrorKind::RequestBody).because(cause)),
            }
        }
        Ok(())
    }

    fn put(&mut self, frame: Frame<Bytes>) -> Result<(), Error> {
        match frame.into_data() {
            Ok(data) if data.is_empty() => Ok(()),
            Ok(data) => self.put_data(data),
            Err(frame) => {
                if let (Coding::Chunked { trailers: true }, Ok(trailers)) = (self.coding, frame.into_trailers()) {
                    put_trailers(self.outbox.small(), &trailers);
                    self.body = None;
                }
                Ok(())
            }
        }
    }

    fn put_data(&mut self, data: Bytes) -> Result<(), Error> {
        match &mut self.coding {
            Coding::Length(left) => {
                let size = data.len() as u64;
                *left = left.checked_sub(size).ok_or_else(|| mismatch("longer than announced"))?;
                if *left == 0 {
                    self.body = None;
                }
                self.outbox.put(data, b"");
            }
            Coding::Chunked { .. } => {
                chunked::put_chunk_head(self.outbox.small(), data.len());
                let ended = self.body.as_ref().is_some_and(HttpBody::is_end_stream);
                if ended {
                    self.body = None;
                }
                self.outbox.put(data, if ended { ALL_ENDS } else { CHUNK_END });
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.body = None;
        match self.coding {
            Coding::Length(0) => {}
            Coding::Length(_) => return Err(mismatch("shorter than announced")),
            Coding::Chunked { .. } => self.outbox.small().extend_from_slice(LAST_CHUNK),
        }
        Ok(())
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
