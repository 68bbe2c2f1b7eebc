//! Switching to another protocol on a connection that began with HTTP.

use std::{
    fmt,
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

/// The client's wish to switch protocols, in the extensions of its request: a future of what it
/// speaks then.
///
/// It comes true when the request is answered with `101 Switching Protocols` (or with what else
/// means yes in the version of HTTP at hand), and fails when it is answered otherwise. Clones share
/// one wish; the first to see it come true has the stream.
#[derive(Clone)]
pub struct Upgrade {
    pending: Arc<Mutex<Option<Pending>>>,
}

type Pending = Pin<Box<dyn Future<Output = io::Result<Upgraded>> + Send>>;

impl Upgrade {
    /// A wish that comes true with this future.
    pub fn new(pending: impl Future<Output = io::Result<Upgraded>> + Send + 'static) -> Self {
        Self { pending: Arc::new(Mutex::new(Some(Box::pin(pending)))) }
    }

    /// A wish, and what makes it come true.
    pub(crate) fn pair() -> (Self, Granter) {
        let (granter, granted) = oneshot::channel();
        let refused = |_| io::Error::other("the request was answered without switching protocols");
        (Self::new(async move { granted.await.map_err(refused) }), Granter(granter))
    }
}

impl Future for Upgrade {
    type Output = io::Result<Upgraded>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = lock(&self.pending);
        let Some(pending) = slot.as_mut() else {
            return Poll::Ready(Err(io::Error::other("another has taken the upgraded connection")));
        };
        let result = pending.as_mut().poll(cx);
        if result.is_ready() {
            *slot = None;
        }
        result
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrade")
    }
}

/// A stream of bytes in both directions, after HTTP.
///
/// It breaks ([`ConnectionAborted`](io::ErrorKind::ConnectionAborted)) when the server gives up the
/// connection it came from, as it does with a client that takes nothing for too long.
pub struct Upgraded {
    // What the other side sent early comes first.
    early: Bytes,
    stream: Pin<Box<dyn Duplex>>,
    // Tells the connection when this is dropped, and this when the connection is.
    open: Option<oneshot::Sender<()>>,
}

trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

impl Upgraded {
    /// A stream of which these bytes have been read already.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static, early: Bytes) -> Self {
        Self { early, stream: Box::pin(stream), open: None }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let is_given_up = self.open.as_mut().is_some_and(|open| open.poll_closed(cx).is_ready());
        if is_given_up { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        if self.early.is_empty() {
            return self.stream.as_mut().poll_read(cx, buffer);
        }
        let count = self.early.len().min(buffer.remaining());
        buffer.put_slice(self.early.get(..count).unwrap_or_default());
        self.early.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.as_mut().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.as_mut().poll_shutdown(cx)
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("early", &self.early.len()).finish_non_exhaustive()
    }
}

/// A connection's side of an [`Upgrade`]: refuses it when it is dropped.
#[derive(Debug)]
pub(crate) struct Granter(oneshot::Sender<Upgraded>);

impl Granter {
    /// Makes the wish come true. What is returned ends when the stream is dropped, which is at once
    /// if nobody wishes for it any more.
    pub(crate) fn grant(self, stream: impl AsyncRead + AsyncWrite + Send + 'static, early: Bytes) -> Closed {
        let (open, closed) = oneshot::channel();
        let upgraded = Upgraded { open: Some(open), ..Upgraded::new(stream, early) };
        let _ = self.0.send(upgraded);
        Closed(closed)
    }
}

/// Ends when a stream that was granted is dropped.
#[derive(Debug)]
pub(crate) struct Closed(oneshot::Receiver<()>);

impl Future for Closed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_came_early_is_read_first() {
        let (upgrade, granter) = Upgrade::pair();
        let (mut far, near) = tokio::io::duplex(64);
        let closed = granter.grant(near, Bytes::from_static(b"early, "));
        far.write_all(b"late").await.unwrap();
        let mut upgraded = upgrade.clone().await.unwrap();
        let mut read = [0; 11];
        upgraded.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"early, late");
        upgraded.write_all(b"back").await.unwrap();
        assert!(upgrade.await.is_err(), "there is one stream for all clones");
        drop(upgraded);
        closed.await;
        let mut rest = String::new();
        far.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "back");
    }

    #[tokio::test]
    async fn a_wish_that_is_not_granted_fails() {
        let (upgrade, granter) = Upgrade::pair();
        drop(granter);
        assert!(upgrade.await.is_err());
    }

    #[tokio::test]
    async fn a_stream_that_nobody_wants_is_closed() {
        let (upgrade, granter) = Upgrade::pair();
        drop(upgrade);
        let (mut far, near) = tokio::io::duplex(64);
        granter.grant(near, Bytes::new()).await;
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_stream_whose_connection_is_given_up_breaks() {
        let (upgrade, granter) = Upgrade::pair();
        let (_far, near) = tokio::io::duplex(64);
        let closed = granter.grant(near, Bytes::new());
        let mut upgraded = upgrade.await.unwrap();
        let reading = tokio::spawn(async move { upgraded.read_u8().await });
        tokio::task::yield_now().await;
        drop(closed);
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn any_future_of_a_stream_can_be_a_wish() {
        let (mut far, near) = tokio::io::duplex(64);
        let upgrade = Upgrade::new(async move { Ok(Upgraded::new(near, Bytes::new())) });
        far.write_all(b"x").await.unwrap();
        assert_eq!(upgrade.await.unwrap().read_u8().await.unwrap(), b'x');
    }
}
