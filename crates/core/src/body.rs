//! Bodies: the gateway's own, and the one a guard layer passes on.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;

/// Any error a body may end with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The gateway's body: nothing, bytes at hand, what hyper received, or any other body boxed.
///
/// An enum, so that the common cases pass through the gateway without an allocation.
#[derive(Default)]
pub enum Body {
    /// No bytes at all.
    #[default]
    Empty,
    /// All bytes at once; `None` once they were taken.
    Full(Option<Bytes>),
    /// What hyper receives from a connection (feature `hyper`).
    #[cfg(feature = "hyper")]
    Incoming(hyper::body::Incoming),
    /// Any other body.
    Boxed(Pin<Box<dyn HttpBody<Data = Bytes, Error = BoxError> + Send>>),
}

impl Body {
    /// Boxes any body.
    pub fn boxed<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::Boxed(Box::pin(http_body_util::BodyExt::map_err(body, Into::into)))
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Full(Some(bytes)) }
    }
}

#[cfg(feature = "hyper")]
impl From<hyper::body::Incoming> for Body {
    fn from(incoming: hyper::body::Incoming) -> Self {
        Self::Incoming(incoming)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            #[cfg(feature = "hyper")]
            Self::Incoming(incoming) => Pin::new(incoming).poll_frame(cx).map_err(Into::into),
            Self::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Full(None) => true,
            Self::Full(Some(_)) => false,
            #[cfg(feature = "hyper")]
            Self::Incoming(incoming) => incoming.is_end_stream(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Full(None) => SizeHint::with_exact(0),
            Self::Full(Some(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            #[cfg(feature = "hyper")]
            Self::Incoming(incoming) => incoming.size_hint(),
            Self::Boxed(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("size", &self.size_hint()).finish()
    }
}

pin_project! {
    /// The body behind a guard layer: the one it was given, or bytes that stand for it.
    ///
    /// As a request body it is what the inner service receives: the client's body untouched, or
    /// the buffered one after a guard asked to see it, counted if a guard limits it. As a response
    /// body it is the inner service's, or the gateway's refusal.
    #[derive(Debug)]
    pub struct GuardBody<B> {
        #[pin]
        kind: Kind<B>,
        meter: Option<Meter>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    pub(crate) enum Kind<B> {
        // The body as it was given.
        Inner { #[pin] body: B },
        // Bytes instead of a body; `None` once they were taken.
        Bytes { bytes: Option<Bytes> },
        // Bytes already read, then the rest of the body.
        Resumed { read: Option<Bytes>, rest: Pin<Box<B>> },
    }
}

/// Counts what goes by.
#[derive(Debug)]
struct Meter {
    limit: u64,
    left: u64,
    is_exceeded: Arc<AtomicBool>,
}

/// A body had more bytes than a guard allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyTooLarge {
    limit: u64,
}

impl fmt::Display for BodyTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body is larger than the {} bytes allowed", self.limit)
    }
}

impl std::error::Error for BodyTooLarge {}

impl Meter {
    fn count(&mut self, bytes: usize) -> Result<(), BodyTooLarge> {
        let Some(left) = self.left.checked_sub(bytes as u64) else {
            self.is_exceeded.store(true, Ordering::Relaxed);
            return Err(BodyTooLarge { limit: self.limit });
        };
        self.left = left;
        Ok(())
    }
}

impl<B> GuardBody<B> {
    /// Passes a body on untouched.
    pub fn inner(body: B) -> Self {
        Self::of(Kind::Inner { body })
    }

    /// Bytes in place of a body.
    pub fn bytes(bytes: Bytes) -> Self {
        Self::of(Kind::Bytes { bytes: (!bytes.is_empty()).then_some(bytes) })
    }

    /// Bytes read before, then the rest of their body.
    pub(crate) fn resumed(read: Bytes, rest: Pin<Box<B>>) -> Self {
        Self::of(Kind::Resumed { read: (!read.is_empty()).then_some(read), rest })
    }

    fn of(kind: Kind<B>) -> Self {
        Self { kind, meter: None }
    }

    /// Ends with [`BodyTooLarge`] and sets `is_exceeded` if there are more bytes than this.
    pub(crate) fn limited(self, limit: u64, is_exceeded: Arc<AtomicBool>) -> Self {
        Self { meter: Some(Meter { limit, left: limit, is_exceeded }), ..self }
    }

    pub(crate) fn into_kind(self) -> Kind<B> {
        self.kind
    }
}

impl<B: HttpBody<Data = Bytes>> GuardBody<B> {
    /// How many bytes it has at least, as far as is known.
    pub(crate) fn least_size(&self) -> u64 {
        self.size().lower()
    }

    fn size(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Bytes { bytes } => SizeHint::with_exact(length(bytes)),
            Kind::Resumed { read, rest } => plus(rest.size_hint(), length(read)),
        }
    }
}

impl<B> HttpBody for GuardBody<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let frame = match this.kind.project() {
            KindProjection::Inner { body } => ready!(body.poll_frame(cx)),
            KindProjection::Bytes { bytes } => bytes.take().map(|b| Ok(Frame::data(b))),
            KindProjection::Resumed { read, rest } => match read.take() {
                Some(bytes) => Some(Ok(Frame::data(bytes))),
                None => ready!(rest.as_mut().poll_frame(cx)),
            },
        };
        if let (Some(meter), Some(Ok(frame))) = (this.meter, &frame)
            && let Some(Err(error)) = frame.data_ref().map(|data| meter.count(data.len()))
        {
            return Poll::Ready(Some(Err(error.into())));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Bytes { bytes } => bytes.is_none(),
            Kind::Resumed { read, rest } => read.is_none() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.size()
    }
}

fn length(bytes: &Option<Bytes>) -> u64 {
    bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)
}

fn plus(hint: SizeHint, more: u64) -> SizeHint {
    let mut sum = SizeHint::new();
    sum.set_lower(hint.lower().saturating_add(more));
    if let Some(upper) = hint.upper() {
        sum.set_upper(upper.saturating_add(more));
    }
    sum
}

impl From<GuardBody<Body>> for Body {
    fn from(body: GuardBody<Body>) -> Self {
        match body {
            GuardBody { kind: Kind::Inner { body }, meter: None } => body,
            GuardBody { kind: Kind::Bytes { bytes }, meter: None } => bytes.map_or(Self::Empty, Self::from),
            body => Self::boxed(body),
        }
    }
}
