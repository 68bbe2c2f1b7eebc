//! The body of a response, read from the connection while it is asked for.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Connection, READ, Upgraded,
    alarm::Alarm,
    error::{BoxError, Error},
    link::Link,
};
use crate::{
    chunked::{Decoded, Decoder},
    head::Framing,
};

/// How much of a large body is read at a time. The kernel copies a large piece faster than several small ones, and who
/// receives it wakes up less often.
const LARGE_READ: usize = 512 * 1024;

/// The body of a response. It owns the connection, sends what is left of the request, and frees the
/// connection at its end ([`reclaim`](Self::reclaim)). Dropped before, it closes the connection.
///
/// A break is an error, never the end.
pub struct Body<T, B> {
    link: Option<Link<T, B>>,
    coding: Coding,
    /// Whether the server takes another request after this one.
    reusable: bool,
    /// Whether the head said nothing that only the connection is concerned with.
    plain: bool,
    /// Whether a read took all there was room for, so that more room pays.
    large: bool,
    free: Option<Connection<T>>,
    /// Set when the rest of the request is sent by somebody else than who reads the body.
    apart: Option<Box<Apart>>,
}

/// What who sends the request and who reads the response have to tell each other.
#[derive(Default)]
struct Apart {
    alarm: Alarm,
    /// Why the request could not be sent to its end.
    failure: Option<Error>,
    /// Who waits for the body.
    reader: Option<Waker>,
}

#[derive(Debug)]
enum Coding {
    /// So many bytes are still to come, at least one.
    Length(u64),
    Chunked(Decoder),
    /// Until the connection ends.
    Close,
    Ended,
    Switched,
}

impl<T, B> Body<T, B>
where
    T: AsyncRead + AsyncWrite + Unpin,
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(link: Link<T, B>, framing: Framing, reusable: bool, plain: bool) -> Self {
        let coding = match framing {
            Framing::Empty => Coding::Ended,
            Framing::Length(bytes) => Coding::Length(bytes),
            Framing::Chunked => Coding::Chunked(Decoder::default()),
            Framing::Close => Coding::Close,
        };
        let reusable = reusable && framing != Framing::Close;
        let mut body = Self { coding, reusable, plain, ..Self::switched(link) };
        if matches!(body.coding, Coding::Ended) {
            body.finish();
        }
        body
    }

    /// The empty body of a response after which the connection is no HTTP connection any more.
    pub(super) fn switched(link: Link<T, B>) -> Self {
        let (coding, reusable, plain, large) = (Coding::Switched, false, false, false);
        Self { link: Some(link), coding, reusable, plain, large, free: None, apart: None }
    }

    /// The whole body, if it came together with the head and its length was told; and the connection,
    /// if it can take another request. Otherwise the body as it was.
    ///
    /// # Errors
    /// With the body, which is not complete yet.
    #[allow(clippy::result_large_err, reason = "the other case is no failure")]
    pub fn complete(mut self) -> Result<(Bytes, Option<Connection<T>>), Self> {
        let bytes = match (&self.coding, &mut self.link) {
            (Coding::Ended, _) => Bytes::new(),
            (Coding::Length(left), Some(link)) if link.holds(*left) => take_data(link, *left),
            _ => return Err(self),
        };
        if !self.is_end_stream() {
            self.finish();
        }
        Ok((bytes, self.free.take()))
    }

    /// The connection, once the body was read to its end: if the server takes another request, and
    /// this one was sent to its end.
    pub fn reclaim(&mut self) -> Option<Connection<T>> {
        self.free.take()
    }

    /// Whether a proxy can pass the head of this response on as it is: no header in it is about the connection, and its
    /// `Content-Length`, if it has one, is said once and is what will come. Where it is not so, there may be nothing to
    /// be taken out all the same.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// Whether the request is still going out.
    pub fn is_sending(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.is_sent())
    }

    /// Sends what is left of the request; ready when there is nothing left, or it cannot be sent.
    ///
    /// The request goes out while the response's body is read, and waits while nobody does. Where it
    /// must not wait (the client takes none of the response before it has sent all of its request),
    /// somebody else than the reader may poll this, from then on and to its end.
    pub fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let apart = self.apart.get_or_insert_default();
        let Some(link) = self.link.as_mut().filter(|link| !link.is_sent()) else { return Poll::Ready(()) };
        let failure = match link.send(cx) {
            Ok(()) if link.is_sent() => return Poll::Ready(()),
            Ok(()) => ready!(link.poll_blocked(cx, &mut apart.alarm)),
            Err(error) => error,
        };
        link.break_off();
        apart.failure = Some(failure);
        apart.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(())
    }

    /// The stream after a response that switches protocols (101, or 2xx to `CONNECT`); `None` after
    /// any other.
    pub fn upgrade(self) -> Option<Upgraded<T>> {
        let mut connection = self.link.filter(|_| matches!(self.coding, Coding::Switched))?.connection;
        let read = connection.inner.buffers.read.split().freeze();
        Some(Upgraded { io: connection.inner.io, read })
    }

    /// Whether this is the empty body of a response that switches protocols.
    pub fn is_upgrade(&self) -> bool {
        matches!(self.coding, Coding::Switched)
    }

    fn finish(&mut self) {
        self.coding = Coding::Ended;
        self.free = self.link.take().filter(|_| self.reusable).and_then(Link::free);
    }

    /// The next piece out of what was read.
    fn next(&mut self) -> Result<Option<Frame<Bytes>>, Error> {
        let Some(link) = &mut self.link else { return Ok(None) };
        if link.buffer().is_empty() {
            return Ok(None);
        }
        match &mut self.coding {
            Coding::Length(left) => {
                let bytes = take_data(link, *left);
                *left = left.saturating_sub(bytes.len() as u64);
                if *left == 0 {
                    self.finish();
                }
                Ok(Some(Frame::data(bytes)))
            }
            Coding::Close => Ok(Some(Frame::data(link.buffer().split().freeze()))),
            Coding::Chunked(decoder) => {
                let decoded = decoder.decode(link.buffer()).map_err(|error| link.told(error))?;
                let ended = matches!(decoded, Decoded::End(_)) || decoder.take_end(link.buffer());
                if ended {
                    self.finish();
                }
                Ok(match decoded {
                    Decoded::Data(bytes) => Some(Frame::data(bytes)),
                    Decoded::End(trailers) => trailers.map(Frame::trailers),
                    Decoded::More => None,
                })
            }
            Coding::Ended | Coding::Switched => Ok(None),
        }
    }

    /// Sees to room for what comes next: much for a body that is known, or has shown, to be large.
    fn make_room(&mut self) {
        let Some(link) = &mut self.link else { return };
        let expected = match &self.coding {
            Coding::Length(left) => usize::try_from(*left).unwrap_or(LARGE_READ),
            Coding::Chunked(decoder) => usize::try_from(decoder.left()).unwrap_or(LARGE_READ),
            _ => 0,
        };
        let least = if self.large { LARGE_READ } else { READ };
        link.connection.inner.buffers.make_room(expected.clamp(least, LARGE_READ));
    }

    /// Reads once: whether there is more to decode, or the body is over.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.make_room();
        let Some(link) = &mut self.link else { return Poll::Ready(Ok(())) };
        let read = match self.coding {
            Coding::Close => link.poll_read_or_end(cx).map_err(|cause| link.told(cause)),
            _ => link.poll_read(cx),
        };
        match read {
            Poll::Ready(Ok(0)) => self.finish(),
            Poll::Ready(Ok(count)) => self.large |= count >= READ,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return link.poll_stalled(cx, true, self.apart.is_none()).map(Err),
        }
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Error>> {
        match (&mut self.apart, &mut self.link) {
            (None, Some(link)) => link.send(cx)?,
            (Some(apart), _) => {
                if let Some(failure) = apart.failure.take() {
                    return Poll::Ready(Err(failure));
                }
                apart.reader = Some(cx.waker().clone());
            }
            (None, None) => {}
        }
        while !self.is_end_stream() {
            if let Some(frame) = self.next()? {
                return Poll::Ready(Ok(Some(frame)));
            }
            if !self.is_end_stream() {
                ready!(self.poll_more(cx))?;
            }
        }
        Poll::Ready(Ok(None))
    }
}

/// As much of the body as was read, at most what is left of it.
fn take_data<T, B>(link: &mut Link<T, B>, left: u64) -> Bytes
where
    T: AsyncRead + AsyncWrite + Unpin,
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let buffer = link.buffer();
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
    buffer.split_to(count).freeze()
}

impl<T, B> HttpBody for Body<T, B>
where
    T: AsyncRead + AsyncWrite + Unpin,
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let next = ready!(this.poll_next(cx));
        if next.is_err() {
            // Closed at once, whoever still holds the body.
            this.link = None;
            this.coding = Coding::Ended;
        }
        Poll::Ready(next.transpose())
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.coding, Coding::Ended | Coding::Switched)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.coding {
            Coding::Length(left) => SizeHint::with_exact(*left),
            Coding::Ended | Coding::Switched => SizeHint::with_exact(0),
            Coding::Chunked(_) | Coding::Close => SizeHint::default(),
        }
    }
}

impl<T, B> fmt::Debug for Body<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("coding", &self.coding).finish_non_exhaustive()
    }
}
