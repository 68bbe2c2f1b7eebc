//! The body of a request, pulled from the socket by whoever reads it.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// A request's body.
///
/// Nothing of it is read before it is polled, apart from what came with the head: a client sends
/// only as fast as its body is read. Once the response is complete there is nothing more to read.
#[derive(Default)]
pub struct Body {
    kind: Kind,
}

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    /// All of it came with the head.
    Whole(Bytes),
    Streamed(Streamed),
}

/// What is wrong with a request's body. It is the client's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// It is no chunked body.
    Malformed,
    /// The client went away in the middle of it.
    Incomplete,
    /// The response was complete before the body was.
    Abandoned,
}

/// Where a body is read from: its connection's socket, of whatever type that is.
pub(super) trait Source: Send + Sync {
    /// The next piece of the body of this request.
    fn poll_frame(&self, request: u64, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>>;

    /// Nobody will read the body of this request any more.
    fn abandon(&self, request: u64);
}

struct Streamed {
    source: Arc<dyn Source>,
    request: u64,
    // What is left; `None` if that is not known.
    left: Option<u64>,
    is_ended: bool,
}

impl Body {
    /// The body itself, if all of it came with the head.
    ///
    /// # Errors
    /// The body as it was, if it is still to be read.
    pub fn into_whole(self) -> Result<Bytes, Self> {
        match self.kind {
            Kind::Empty => Ok(Bytes::new()),
            Kind::Whole(bytes) => Ok(bytes),
            Kind::Streamed(_) => Err(self),
        }
    }

    pub(super) fn whole(bytes: Bytes) -> Self {
        Self { kind: if bytes.is_empty() { Kind::Empty } else { Kind::Whole(bytes) } }
    }

    pub(super) fn streamed(source: Arc<dyn Source>, request: u64, left: Option<u64>) -> Self {
        Self { kind: Kind::Streamed(Streamed { source, request, left, is_ended: false }) }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.kind = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Streamed(streamed) => streamed.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Whole(_) => false,
            Kind::Streamed(streamed) => streamed.is_ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Streamed(streamed) if streamed.is_ended => SizeHint::with_exact(0),
            Kind::Streamed(streamed) => streamed.left.map(SizeHint::with_exact).unwrap_or_default(),
        }
    }
}

impl Streamed {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.is_ended {
            return Poll::Ready(None);
        }
        let frame = ready!(self.source.poll_frame(self.request, cx));
        match (&frame, &mut self.left) {
            (Some(Ok(frame)), Some(left)) => {
                *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
                self.is_ended = *left == 0;
            }
            // Nothing comes after trailers.
            (Some(Ok(frame)), None) => self.is_ended = frame.is_trailers(),
            (Some(Err(_)) | None, _) => self.is_ended = true,
        }
        Poll::Ready(frame)
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        if !self.is_ended {
            self.source.abandon(self.request);
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, left) = match &self.kind {
            Kind::Empty => ("empty", Some(0)),
            Kind::Whole(bytes) => ("whole", Some(bytes.len() as u64)),
            Kind::Streamed(streamed) => ("streamed", streamed.left),
        };
        f.debug_struct("Body").field("kind", &kind).field("left", &left).finish()
    }
}

impl BodyError {
    /// Whether what came is no body, rather than too little of one.
    pub fn is_malformed(self) -> bool {
        self == Self::Malformed
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the request's body is not chunked as it says",
            Self::Incomplete => "the client went away before its request's body was complete",
            Self::Abandoned => "the response was complete before the request's body was",
        })
    }
}

impl Error for BodyError {}
