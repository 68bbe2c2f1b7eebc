//! What carries a connection, telling the connection's [`Activity`] what comes and goes.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{activity::Activity, transport::Transport};

/// A transport that tells what comes and goes.
#[derive(Debug)]
pub(crate) struct Stream {
    transport: Transport,
    activity: Arc<Activity>,
}

impl Stream {
    pub(crate) fn new(transport: Transport, activity: Arc<Activity>) -> Self {
        Self { transport, activity }
    }

    /// Lets the connection end in a way that nobody takes for a peaceful one.
    pub(crate) fn reset(&self) {
        self.transport.reset();
    }

    fn tell<T>(&self, result: Poll<T>) -> Poll<T> {
        self.activity.sent(result.is_pending());
        result
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
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
