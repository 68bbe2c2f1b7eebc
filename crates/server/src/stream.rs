//! What carries a connection, telling the connection's [`Activity`] what comes and goes.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{activity::Activity, transport::Transport};

/// A transport that tells what comes and goes. Under TLS there are two: this one hears of requests,
/// the one below of bytes that leave, which may be long after they were written.
#[derive(Debug)]
pub(crate) struct Stream {
    transport: Transport,
    activity: Arc<Activity>,
    /// What is to be read before anything else of the transport.
    first: Bytes,
}

impl Stream {
    pub(crate) fn new(transport: Transport, activity: Arc<Activity>) -> Self {
        Self { transport, activity, first: Bytes::new() }
    }

    /// Lets what was read before anybody knew what to make of it be read again.
    pub(crate) fn put_back(&mut self, bytes: &[u8]) {
        self.first = Bytes::copy_from_slice(bytes);
    }

    /// Lets the connection end in a way that nobody takes for a peaceful one.
    pub(crate) fn reset(&self) {
        self.transport.reset();
    }

    fn tell<T>(&self, result: Poll<T>) -> Poll<T> {
        if matches!(self.transport, Transport::Tcp(_)) {
            self.activity.sent(result.is_pending());
        }
        result
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let count = self.first.len().min(buffer.remaining());
            buffer.put_slice(&self.first.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.transport).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.activity.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.transport).poll_write(cx, bytes);
        self.tell(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.transport).poll_write_vectored(cx, slices);
        self.tell(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
