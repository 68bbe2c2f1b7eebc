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
    Connection, Inner, Timeouts,
    alarm::Alarm,
    error::{BoxError, Error, ErrorKind},
    sending::{SendError, Sending, State},
};

/// A connection and the request on it.
pub(super) struct Link<T, B> {
    pub(super) connection: Connection<T>,
    pub(super) sending: Sending<B>,
    timeouts: Timeouts,
    /// Since when the server owes something; unset by each read.
    owing: Option<Instant>,
    /// Since when it takes nothing; unset by each write.
    blocked: Option<Instant>,
    /// How much was read.
    pub(super) heard: u64,
    /// Why the rest of the request could not be written. A response may have come all the same.
    unwritten: Option<io::Error>,
}

impl<T, B> Link<T, B>
where
    T: AsyncRead + AsyncWrite + Unpin,
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(connection: Connection<T>, sending: Sending<B>, timeouts: Timeouts) -> Self {
        Self { connection, sending, timeouts, owing: None, blocked: None, heard: 0, unwritten: None }
    }

    /// What was read and not used yet.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.connection.inner.buffers.read
    }

    /// Sends what can be sent of the request.
    pub(super) fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        if self.sending.is_over() {
            return Ok(());
        }
        match self.sending.send(cx, &mut self.connection.inner.io) {
            Ok(progress) => {
                if progress || self.sending.state() != State::Blocked {
                    self.blocked = None;
                }
                Ok(())
            }
            Err(SendError::Io(cause)) => {
                self.unwritten = Some(cause);
                self.sending.break_off();
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
        let Inner { io, buffers, .. } = &mut *self.connection.inner;
        let count = ready!(pin!(io.read_buf(&mut buffers.read)).poll(cx))?;
        self.owing = None;
        self.heard = self.heard.saturating_add(count as u64);
        Poll::Ready(Ok(count))
    }

    /// Whether so many bytes were read and not used yet.
    pub(super) fn holds(&self, bytes: u64) -> bool {
        bytes <= self.connection.inner.buffers.read.len() as u64
    }

    /// Ready when nothing has happened for too long. `owes` says whether it is the server's turn, and
    /// `takes` whether this is also about the request on its way out.
    pub(super) fn poll_stalled(&mut self, cx: &mut Context<'_>, owes: bool, takes: bool) -> Poll<Error> {
        let reads = due(&mut self.owing, owes, self.timeouts.read);
        let writes = due(&mut self.blocked, takes && self.sending.state() == State::Blocked, self.timeouts.write);
        let Some(next) = reads.into_iter().chain(writes).min() else { return Poll::Pending };
        ready!(self.connection.inner.alarm.poll(cx, next));
        let Timeouts { read, write } = self.timeouts;
        let kind = if writes == Some(next) { ErrorKind::WriteTimeout(write) } else { ErrorKind::ReadTimeout(read) };
        Poll::Ready(self.told(Error::new(kind)))
    }

    /// Ready when nothing could be written for too long, by a timer of its own.
    pub(super) fn poll_blocked(&mut self, cx: &mut Context<'_>, alarm: &mut Alarm) -> Poll<Error> {
        let limit = self.timeouts.write;
        let writes = due(&mut self.blocked, self.sending.state() == State::Blocked, limit);
        let Some(next) = writes else { return Poll::Pending };
        ready!(alarm.poll(cx, next));
        Poll::Ready(self.told(Error::new(ErrorKind::WriteTimeout(limit))))
    }

    /// The connection has ended, by `cause` or just so.
    fn closed(&mut self, cause: Option<io::Error>) -> Error {
        let error = match self.unwritten.take().or(cause) {
            Some(cause) => Error::from(cause),
            None => Error::new(ErrorKind::Closed),
        };
        self.told(error)
    }

    /// An error with what has happened so far.
    pub(super) fn told(&self, error: impl Into<Error>) -> Error {
        error.into().at(!self.sending.is_started(), self.heard > 0)
    }

    /// The connection for another request, if it can take one.
    pub(super) fn free(self) -> Option<Connection<T>> {
        let mut connection = self.connection;
        if self.sending.state() != State::Sent || !connection.inner.buffers.read.is_empty() {
            return None;
        }
        connection.inner.buffers.write = self.sending.into_buffer();
        Some(connection)
    }
}

/// When a wait has lasted too long, if there is one. A time so far away that it cannot be told never
/// comes.
fn due(since: &mut Option<Instant>, waits: bool, limit: Duration) -> Option<Instant> {
    if waits { since.get_or_insert_with(Instant::now).checked_add(limit) } else { None }
}
