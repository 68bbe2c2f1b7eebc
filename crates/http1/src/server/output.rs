//! What is to be sent: a response's head and its body's frames, in as few writes as can be without
//! copying what is large.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::Frame;
use tokio::io::AsyncWrite;

use super::buffers;
use crate::{
    chunked::{CHUNK_END, LAST_CHUNK, LAST_CHUNK_HEAD, put_chunk_head},
    spelling::put_name,
};

/// Data up to this size is copied behind what is to be sent before it: one write of one piece costs
/// less than one of several.
const COPIED: usize = 8 * 1024;

/// How much small data is gathered before it is sent although more is ready.
const GATHERED: usize = 16 * 1024;

/// Bytes on their way out: those in `vector`, then `data`, then `tail`.
#[derive(Debug, Default)]
pub(super) struct Output {
    vector: Vec<u8>,
    sent: usize,
    data: Bytes,
    tail: &'static [u8],
}

impl Output {
    /// Where small things are written to; not while large data is on its way.
    pub(super) fn vector(&mut self) -> &mut Vec<u8> {
        if self.vector.capacity() == 0 {
            self.vector = buffers::take_vector();
        }
        &mut self.vector
    }

    fn put(&mut self, data: Bytes, tail: &'static [u8]) {
        if data.len() <= COPIED {
            let vector = self.vector();
            vector.extend_from_slice(&data);
            vector.extend_from_slice(tail);
        } else {
            (self.data, self.tail) = (data, tail);
        }
    }

    /// Whether it is time to send before more is put in.
    pub(super) fn is_full(&self) -> bool {
        !self.data.is_empty() || !self.tail.is_empty() || self.vector.len().saturating_sub(self.sent) >= GATHERED
    }

    /// How much memory is held.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.vector.capacity().saturating_add(self.data.len())
    }

    fn is_empty(&self) -> bool {
        self.sent >= self.vector.len() && self.data.is_empty() && self.tail.is_empty()
    }

    /// Sends everything.
    pub(super) fn poll_flush<T: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_empty() && self.vector.capacity() == 0 {
            return Poll::Ready(Ok(()));
        }
        while !self.is_empty() {
            let count = ready!(self.poll_write(stream, cx))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(count);
        }
        ready!(Pin::new(stream).poll_flush(cx))?;
        self.sent = 0;
        buffers::give_back(std::mem::take(&mut self.vector));
        Poll::Ready(Ok(()))
    }

    fn poll_write<T: AsyncWrite + Unpin>(&self, stream: &mut T, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let stream = Pin::new(stream);
        let head = self.vector.get(self.sent..).unwrap_or_default();
        match (head.is_empty(), self.data.is_empty(), self.tail.is_empty()) {
            (false, true, true) => stream.poll_write(cx, head),
            (true, false, true) => stream.poll_write(cx, &self.data),
            (true, true, false) => stream.poll_write(cx, self.tail),
            // A stream that takes one slice at a time takes the first that is not empty.
            _ => stream.poll_write_vectored(cx, &[head, &*self.data, self.tail].map(IoSlice::new)),
        }
    }

    fn advance(&mut self, count: usize) {
        let head = count.min(self.vector.len().saturating_sub(self.sent));
        self.sent = self.sent.saturating_add(head);
        let count = count.saturating_sub(head);
        let data = count.min(self.data.len());
        self.data.advance(data);
        if self.data.is_empty() {
            // The bytes may belong to a large buffer, which others wait for.
            self.data = Bytes::new();
        }
        self.tail = self.tail.get(count.saturating_sub(data)..).unwrap_or_default();
    }
}

/// How a response's body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoder {
    /// By its length, of which so much is left; also where there is no body at all.
    Length(u64),
    /// In chunks; at their end there may be trailers, if the client takes them.
    Chunked { trailers: bool },
    /// By the end of the connection.
    UntilClose,
    /// The response has no body, whatever the service has given (`HEAD`, 204, 304).
    Bodiless,
    /// The end has been written.
    Ended,
}

impl Encoder {
    /// Whether nothing more can be written.
    pub(super) fn is_ended(self) -> bool {
        matches!(self, Self::Length(0) | Self::Bodiless | Self::Ended)
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// If there is more data than the head said.
    pub(super) fn put(&mut self, frame: Frame<Bytes>, out: &mut Output) -> io::Result<()> {
        match frame.into_data() {
            Ok(data) if data.is_empty() => Ok(()),
            Ok(data) => self.put_data(data, out),
            Err(frame) => {
                if let (Self::Chunked { trailers: true }, Ok(trailers)) = (*self, frame.into_trailers()) {
                    put_trailers(&trailers, out.vector());
                    *self = Self::Ended;
                }
                Ok(())
            }
        }
    }

    fn put_data(&mut self, data: Bytes, out: &mut Output) -> io::Result<()> {
        match self {
            Self::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or_else(|| broken("is longer than its head says"))?;
                out.put(data, &[]);
            }
            Self::Chunked { .. } => {
                put_chunk_head(out.vector(), data.len());
                out.put(data, CHUNK_END);
            }
            Self::UntilClose => out.put(data, &[]),
            Self::Bodiless | Self::Ended => {}
        }
        Ok(())
    }

    /// Writes the end.
    ///
    /// # Errors
    /// If there is less data than the head said.
    pub(super) fn end(&mut self, out: &mut Output) -> io::Result<()> {
        match self {
            Self::Length(1..) => return Err(broken("is shorter than its head says")),
            // A tail may be on its way: what comes after it can only be put in when it is sent.
            Self::Chunked { .. } if out.tail.is_empty() => out.vector().extend_from_slice(LAST_CHUNK),
            Self::Chunked { .. } => out.tail = CHUNK_END_AND_LAST_CHUNK,
            _ => {}
        }
        *self = Self::Ended;
        Ok(())
    }
}

const CHUNK_END_AND_LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

fn broken(how: &str) -> io::Error {
    io::Error::other(format!("the response's body {how}"))
}

/// The last chunk with trailers. What frames messages is no business of a trailer.
fn put_trailers(trailers: &http::HeaderMap, out: &mut Vec<u8>) {
    out.extend_from_slice(LAST_CHUNK_HEAD);
    for (name, value) in trailers {
        if matches!(*name, http::header::CONTENT_LENGTH | http::header::TRANSFER_ENCODING | http::header::TRAILER) {
            continue;
        }
        put_name(out, name, None);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}
