//! HTTP/2 by prior knowledge: a client that speaks it in cleartext says so with its first bytes.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

use crate::{activity::Activity, stream::Stream};

/// What an HTTP/2 client sends before all frames (RFC 9113 section 3.4). Nothing else that a client
/// may say begins like it.
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Which version of HTTP a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    Http1,
    Http2,
}

impl Spoken {
    /// What the client's first bytes say. Reads until they differ from the preface or all of it has
    /// come; what was read will be read again.
    ///
    /// # Errors
    /// If the connection breaks, or is asked to close before its client has said anything.
    pub(crate) async fn by_prior_knowledge(stream: &mut Stream, activity: &Activity) -> io::Result<Self> {
        let mut seen = Seen::default();
        let is_preface = poll_fn(|cx| {
            activity.waken_by(cx.waker());
            match seen.poll(stream, cx) {
                Poll::Pending if activity.is_retiring() && seen.count == 0 => {
                    Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
                }
                polled => polled,
            }
        })
        .await?;
        stream.put_back(seen.bytes());
        Ok(if is_preface { Self::Http2 } else { Self::Http1 })
    }
}

/// The first bytes.
#[derive(Default)]
struct Seen {
    bytes: [u8; PREFACE.len()],
    count: usize,
}

impl Seen {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.count).unwrap_or_default()
    }

    fn poll(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let mut buffer = ReadBuf::new(self.bytes.get_mut(self.count..).unwrap_or_default());
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            let count = buffer.filled().len();
            self.count = self.count.saturating_add(count);
            if count == 0 || !PREFACE.starts_with(self.bytes()) {
                return Poll::Ready(Ok(false));
            }
            if self.count == PREFACE.len() {
                return Poll::Ready(Ok(true));
            }
        }
    }
}
