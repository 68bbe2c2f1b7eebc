//! Bytes on their way to the socket.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// Above this size a piece of a body is not copied behind what stands before it, but written from
/// where it is: below, one buffer is cheaper for the kernel to take than two.
pub(crate) const COPIED: usize = 16 * 1024;

/// What is to be written: small pieces gathered in one buffer, then at most one large piece where it
/// is, then what ends that.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    small: Vec<u8>,
    /// How much of `small` was written.
    written: usize,
    large: Bytes,
    tail: &'static [u8],
}

impl Outbox {
    /// With a buffer to gather small pieces in.
    pub(crate) fn with(buffer: Vec<u8>) -> Self {
        Self { small: buffer, ..Self::default() }
    }

    /// Where small pieces are put; only while [`has_room`](Self::has_room).
    pub(crate) fn small(&mut self) -> &mut Vec<u8> {
        &mut self.small
    }

    /// Whether more may be put in before something is written.
    pub(crate) fn has_room(&self) -> bool {
        self.large.is_empty() && self.tail.is_empty() && self.small.len() < COPIED
    }

    /// Puts a piece of a body in, and what ends it.
    pub(crate) fn put(&mut self, piece: Bytes, tail: &'static [u8]) {
        if self.small.len().saturating_add(piece.len()) <= COPIED {
            self.small.extend_from_slice(&piece);
            self.small.extend_from_slice(tail);
        } else {
            self.large = piece;
            self.tail = tail;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.written >= self.small.len() && self.large.is_empty() && self.tail.is_empty()
    }

    /// Writes once; with how much.
    pub(crate) fn poll_write<T: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut T,
    ) -> Poll<io::Result<usize>> {
        let small = self.small.get(self.written..).unwrap_or_default();
        let io = Pin::new(io);
        let count = if self.large.is_empty() && self.tail.is_empty() {
            ready!(io.poll_write(cx, small))?
        } else if io.is_write_vectored() {
            let slices = [IoSlice::new(small), IoSlice::new(&self.large), IoSlice::new(self.tail)];
            ready!(io.poll_write_vectored(cx, &slices))?
        } else {
            let first = [small, &self.large, self.tail].into_iter().find(|piece| !piece.is_empty());
            ready!(io.poll_write(cx, first.unwrap_or_default()))?
        };
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.advance(count);
        Poll::Ready(Ok(count))
    }

    fn advance(&mut self, count: usize) {
        let from_small = count.min(self.small.len().saturating_sub(self.written));
        self.written = self.written.saturating_add(from_small);
        let count = count.saturating_sub(from_small);
        let from_large = count.min(self.large.len());
        self.large.advance(from_large);
        if self.large.is_empty() {
            self.large = Bytes::new();
            self.tail = self.tail.get(count.saturating_sub(from_large)..).unwrap_or_default();
        }
        if self.is_empty() {
            self.small.clear();
            self.written = 0;
        }
    }

    /// The buffer, to be used again.
    pub(crate) fn into_buffer(mut self) -> Vec<u8> {
        self.small.clear();
        self.small
    }
}
