//! A connection in use: a request going out, a response coming in, and how long that may take.

use std::{
    future::Future,
    io,
    pin::pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::Body as HttpBody;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    time::Instant,
};

use super::{
    Connection, Inner, Length, Timeouts,
    alarm::Alarm,
    error::{BoxError, Error, ErrorKind},
    sending::{SendError, State},
};

/// A connection and the request on it: small, because it is handed on from step to step. What is known of the exchange
/// stands with the connection.
pub(super) struct Link<T, B> {
    pub(super) connection: Connection<T>,
    /// What the request's body is still to give; `None` when it has given everything.
    body: Option<B>,
}

/// How long an exchange has waited for what, and for how long it may.
#[derive(Debug, Default)]
pub(super) struct Waits {
    timeouts: Timeouts,
    /// Since when the server owes something; unset by each read.
    owing: Option<Instant>,
    /// Since when it takes nothing; unset by each write.
    blocked: Option<Instant>,
    /// How much was read.
    heard: u64,
    /// Why the rest of the request could not be written. A response may have come all the same.
    unwritten: Option<io::Error>,
}

impl<T, B> Link<T, B>
where
    T: AsyncRead + AsyncWrite + Unpin,
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    /// Begins the exchange of the request whose head was written to the connection, now if that is known.
    pub(super) fn new(
        mut connection: Connection<T>,
        length: Length,
        body: B,
        timeouts: Timeouts,
        now: Option<Instant>,
    ) -> Self {
        let inner = &mut *connection.inner;
        inner.waits = Waits { timeouts, owing: now, ..Waits::default() };
        let body = inner.sending.start(length, body);
        Self { connection, body }
    }

    /// Whether there is nothing more to send.
    pub(super) fn is_sent(&self) -> bool {
        self.connection.inner.sending.is_over()
    }

    /// Gives the rest of the request up.
    pub(super) fn break_off(&mut self) {
        self.connection.inner.sending.break_off();
        self.body = None;
    }

    /// How much was read.
    pub(super) fn heard(&self) -> u64 {
        self.connection.inner.waits.heard
    }

    /// What was read and not used yet.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.connection.inner.buffers.read
    }

    /// Sends what can be sent of the request.
    pub(super) fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let Inner { io, sending, waits, .. } = &mut *self.connection.inner;
        if sending.is_over() {
            return Ok(());
        }
        match sending.send(&mut self.body, cx, io) {
            Ok(progress) => {
                if progress || sending.state() != State::Blocked {
                    waits.blocked = None;
                }
                Ok(())
            }
            Err(SendError::Io(cause)) => {
                waits.unwritten = Some(cause);
                self.break_off();
                Ok(())
            }
            Err(SendError::Body(error)) => Err(self.told(error)),
        }
    }

    /// Reads once. The end of the connection is an error.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        match ready!(self.poll_read_or_end(cx)) {
            Ok(0) => Poll::Ready(Err(self.closed(None))),
            Ok(count) => Poll::Ready(Ok(count)),
            Err(cause) => Poll::Ready(Err(self.closed(Some(cause)))),
        }
    }

    /// Reads once; 0 bytes at the end of the connection.
    pub(super) fn poll_read_or_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Inner { io, buffers, waits, .. } = &mut *self.connection.inner;
        let count = ready!(pin!(io.read_buf(&mut buffers.read)).poll(cx))?;
        waits.owing = None;
        waits.heard = waits.heard.saturating_add(count as u64);
        Poll::Ready(Ok(count))
    }

    /// Whether so many bytes were read and not used yet.
    pub(super) fn holds(&self, bytes: u64) -> bool {
        bytes <= self.connection.inner.buffers.read.len() as u64
    }

    /// Ready when nothing has happened for too long. `owes` says whether it is the server's turn, and
    /// `takes` whether this is also about the request on its way out.
    pub(super) fn poll_stalled(&mut self, cx: &mut Context<'_>, owes: bool, takes: bool) -> Poll<Error> {
        let Inner { alarm, sending, waits, .. } = &mut *self.connection.inner;
        let Timeouts { read, write } = waits.timeouts;
        if !owes {
            // When the request began counts only for one that is sent at once.
            waits.owing = None;
        }
        let reads = due(&mut waits.owing, owes, read);
        let writes = due(&mut waits.blocked, takes && sending.state() == State::Blocked, write);
        let Some(next) = reads.into_iter().chain(writes).min() else { return Poll::Pending };
        ready!(alarm.poll(cx, next));
        let kind = if writes == Some(next) { ErrorKind::WriteTimeout(write) } else { ErrorKind::ReadTimeout(read) };
        Poll::Ready(self.told(Error::new(kind)))
    }

    /// Ready when nothing could be written for too long, by a timer of its own.
    pub(super) fn poll_blocked(&mut self, cx: &mut Context<'_>, alarm: &mut Alarm) -> Poll<Error> {
        let Inner { sending, waits, .. } = &mut *self.connection.inner;
        let limit = waits.timeouts.write;
        let writes = due(&mut waits.blocked, sending.state() == State::Blocked, limit);
        let Some(next) = writes else { return Poll::Pending };
        ready!(alarm.poll(cx, next));
        Poll::Ready(self.told(Error::new(ErrorKind::WriteTimeout(limit))))
    }

    /// The connection has ended, by `cause` or just so.
    fn closed(&mut self, cause: Option<io::Error>) -> Error {
        let error = match self.connection.inner.waits.unwritten.take().or(cause) {
            Some(cause) => Error::from(cause),
            None => Error::new(ErrorKind::Closed),
        };
        self.told(error)
    }

    /// An error with what has happened so far.
    pub(super) fn told(&self, error: impl Into<Error>) -> Error {
        let Inner { sending, waits, .. } = &*self.connection.inner;
        error.into().at(!sending.is_started(), waits.heard > 0)
    }

    /// The connection for another request, if it can take one.
    pub(super) fn free(self) -> Option<Connection<T>> {
        let mut connection = self.connection;
        let Inner { buffers, sending, .. } = &mut *connection.inner;
        if sending.state() != State::Sent || !buffers.read.is_empty() {
            return None;
        }
        buffers.write = sending.take_buffer();
        Some(connection)
    }
}

/// When a wait has lasted too long, if there is one. A time so far away that it cannot be told never
/// comes.
fn due(since: &mut Option<Instant>, waits: bool, limit: Duration) -> Option<Instant> {
    if waits { since.get_or_insert_with(Instant::now).checked_add(limit) } else { None }
}
