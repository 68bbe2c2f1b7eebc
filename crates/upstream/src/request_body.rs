//! The client's body on its way upstream, kept for a second attempt while it is small.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use towergate_core::BoxError;

use crate::error::{self, Error};

/// How many bytes of a body are kept, so that another attempt can send them again.
///
/// With `request_buffering` Kong reads the whole body (to disk if need be) before it picks a
/// target, so every attempt can send it. Here a body streams through, and what has passed is kept
/// up to this size; a body of unknown length is first read up to it, so that small ones get a
/// `Content-Length` as with Kong. Larger uploads therefore start at once and take no memory, at
/// the price of not being repeated after a part of them was sent.
const KEPT: u64 = 64 * 1024;

/// How many chunks are kept at most: a body in chunks of one byte would otherwise take dozens of
/// times its size.
const KEPT_CHUNKS: usize = 1024;

/// How a body is announced to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// So many bytes.
    Known(u64),
    /// Sent in chunks.
    Unknown,
}

/// The client's body, from which every attempt gets a [`Feed`].
pub(crate) struct RequestBody {
    kind: Kind,
    length: Length,
}

enum Kind {
    Empty,
    /// All of it was at hand, and is kept.
    Whole(Bytes),
    Stream(Arc<Mutex<Source>>),
}

impl RequestBody {
    /// Takes the client's body without waiting for any of it. `buffering` keeps its first [`KEPT`] bytes for another
    /// attempt.
    pub(crate) fn new<B>(body: B, buffering: bool) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let length = Length::of(&body);
        let kind = match body.is_end_stream() {
            true => Kind::Empty,
            false => Kind::Stream(Arc::new(Mutex::new(Source::new(body, length, buffering)))),
        };
        Self { kind, length }
    }

    /// Before the first attempt: takes what is at hand of the body. One of unknown length is read as far as it is kept, so
    /// that a shorter one has a length.
    pub(crate) async fn gather(&mut self) -> Result<(), Error> {
        let Kind::Stream(source) = &mut self.kind else { return Ok(()) };
        if self.length == Length::Known(0) {
            self.kind = Kind::Empty;
            return Ok(());
        }
        // Nobody else has it yet.
        let Some(source) = Arc::get_mut(source) else { return Ok(()) };
        let source = source.get_mut().unwrap_or_else(PoisonError::into_inner);
        let whole = match self.length {
            _ if source.room == 0 => Ok(None),
            Length::Unknown => poll_fn(|cx| source.poll_gather(cx)).await,
            Length::Known(bytes) => poll_fn(|cx| Poll::Ready(source.look(cx, bytes))).await,
        };
        if let Some(bytes) = whole.map_err(|cause| Error::new(error::Kind::ClientBody(cause.to_string())))? {
            self.length = Length::Known(bytes);
            if let Some(whole) = source.take_whole() {
                self.kind = whole;
            }
        }
        Ok(())
    }

    pub(crate) fn length(&self) -> Length {
        self.length
    }

    /// The body for a new attempt; feeds of earlier ones give nothing any more.
    pub(crate) fn feed(&self) -> Feed {
        self.feed_with(Trailers::Unwanted)
    }

    /// The same with the trailers.
    pub(crate) fn feed_whole(&self) -> Feed {
        self.feed_with(Trailers::Wanted)
    }

    fn feed_with(&self, trailers: Trailers) -> Feed {
        match &self.kind {
            Kind::Empty => Feed::Bytes(None),
            Kind::Whole(bytes) => Feed::Bytes(Some(bytes.clone())),
            Kind::Stream(source) => {
                let mut locked = lock(source);
                locked.attempt = locked.attempt.wrapping_add(1);
                Feed::Stream { source: source.clone(), attempt: locked.attempt, next: 0, trailers }
            }
        }
    }

    /// Whether all of it is here, so that two attempts can send it at the same time.
    pub(crate) fn is_at_hand(&self) -> bool {
        matches!(self.kind, Kind::Empty | Kind::Whole(_))
    }

    /// Whether another attempt could send the whole body.
    pub(crate) fn can_replay(&self) -> bool {
        match &self.kind {
            Kind::Empty | Kind::Whole(_) => true,
            Kind::Stream(source) => !lock(source).lost,
        }
    }
}

/// The client's body and what has been kept of it.
pub(crate) struct Source {
    body: Pin<Box<dyn HttpBody<Data = Bytes, Error = BoxError> + Send>>,
    kept: Vec<Bytes>,
    /// How many more bytes may be kept.
    room: u64,
    /// Whether bytes have passed that were not kept.
    lost: bool,
    ended: bool,
    trailers: Option<HeaderMap>,
    failure: Option<String>,
    attempt: u32,
}

impl Length {
    fn of<B: HttpBody>(body: &B) -> Self {
        if body.is_end_stream() {
            return Self::Known(0);
        }
        body.size_hint().exact().map_or(Self::Unknown, Self::Known)
    }
}

impl Source {
    fn new<B>(body: B, length: Length, buffering: bool) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let room = match length {
            Length::Known(bytes) if bytes > KEPT => 0,
            _ if !buffering => 0,
            _ => KEPT,
        };
        let body = Box::pin(http_body_util::BodyExt::map_err(body, Into::into));
        let (kept, lost, ended, trailers, failure, attempt) = (Vec::new(), false, false, None, None, 0);
        Self { body, kept, room, lost, ended, trailers, failure, attempt }
    }

    /// The client's next bytes.
    fn poll_fresh(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        if let Some(failure) = &self.failure {
            return Poll::Ready(Some(Err(failure.clone().into())));
        }
        while !self.ended {
            match ready!(self.body.as_mut().poll_frame(cx)) {
                None => self.ended = true,
                Some(Err(error)) => {
                    self.failure = Some(error.to_string());
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Poll::Ready(Some(Ok(data))),
                    Ok(_) => {}
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
        }
        Poll::Ready(None)
    }

    /// The bytes after those already given, kept ones first.
    fn poll_next(&mut self, cx: &mut Context<'_>, next: &mut usize) -> Poll<Option<Result<Bytes, BoxError>>> {
        if let Some(chunk) = self.kept.get(*next) {
            *next += 1;
            return Poll::Ready(Some(Ok(chunk.clone())));
        }
        let fresh = ready!(self.poll_fresh(cx));
        if let Some(Ok(chunk)) = &fresh {
            self.keep(chunk);
            *next = self.kept.len();
        }
        Poll::Ready(fresh)
    }

    fn keep(&mut self, chunk: &Bytes) {
        match self.room.checked_sub(chunk.len() as u64) {
            Some(room) if !self.lost && self.kept.len() < KEPT_CHUNKS => {
                self.room = room;
                self.kept.push(chunk.clone());
            }
            _ => {
                self.lost = true;
                self.kept = Vec::new();
            }
        }
    }

    /// Keeps what the client sends until there is no more room; with the body's length if it ended.
    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<u64>, BoxError>> {
        while self.room > 0 && self.kept.len() < KEPT_CHUNKS {
            match ready!(self.poll_fresh(cx)) {
                None => return Poll::Ready(Ok(Some(self.kept.iter().map(|chunk| chunk.len() as u64).sum()))),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                Some(Ok(chunk)) => {
                    // Nothing is given away yet, so the last chunk is kept even if it is too large.
                    self.room = self.room.saturating_sub(chunk.len() as u64);
                    self.kept.push(chunk);
                }
            }
        }
        Poll::Ready(Ok(None))
    }

    /// Takes what is at hand of a body of this length; with the length if that was all of it.
    fn look(&mut self, cx: &mut Context<'_>, length: u64) -> Result<Option<u64>, BoxError> {
        let mut taken = 0_u64;
        while taken < length {
            match self.poll_fresh(cx) {
                Poll::Ready(Some(chunk)) => {
                    let chunk = chunk?;
                    taken = taken.saturating_add(chunk.len() as u64);
                    self.keep(&chunk);
                }
                Poll::Ready(None) | Poll::Pending => return Ok(None),
            }
        }
        Ok((taken == length && !self.lost).then_some(length))
    }

    /// A body that was read to its end, if it came in one piece or none.
    fn take_whole(&mut self) -> Option<Kind> {
        self.ended = true;
        match self.kept.len() {
            0 => Some(Kind::Empty),
            1 => self.kept.pop().map(Kind::Whole),
            _ => None,
        }
    }

    /// Whether nothing comes after the bytes already given but perhaps trailers.
    fn is_done(&self, next: usize) -> bool {
        let is_empty = || self.body.size_hint().exact() == Some(0);
        self.is_over(next) || (next >= self.kept.len() && self.failure.is_none() && is_empty())
    }

    /// Whether nothing comes after the bytes already given but trailers that are known.
    fn is_over(&self, next: usize) -> bool {
        next >= self.kept.len() && self.failure.is_none() && (self.ended || self.body.is_end_stream())
    }
}

fn lock(source: &Mutex<Source>) -> MutexGuard<'_, Source> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body of one attempt.
pub(crate) enum Feed {
    Bytes(Option<Bytes>),
    Stream { source: Arc<Mutex<Source>>, attempt: u32, next: usize, trailers: Trailers },
}

/// Whether the trailers of a body are sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trailers {
    /// They do not go to HTTP/1.1 upstreams, as in Kong.
    Unwanted,
    Wanted,
    Given,
}

impl Feed {
    /// There will be no other attempt: what was kept for one is let go.
    pub(crate) fn keep_no_more(&mut self) {
        let Self::Stream { source, next, .. } = self else { return };
        let mut source = lock(source);
        source.room = 0;
        if *next >= source.kept.len() {
            source.lost = true;
            source.kept = Vec::new();
            *next = 0;
        }
    }
}

impl HttpBody for Feed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream { source, attempt, next, trailers } => {
                let mut source = lock(source);
                if source.attempt != *attempt {
                    return Poll::Ready(Some(Err("a later attempt has taken over".into())));
                }
                let chunk = ready!(source.poll_next(cx, next));
                if chunk.is_none() && *trailers == Trailers::Wanted {
                    *trailers = Trailers::Given;
                    return Poll::Ready(source.trailers.clone().map(|trailers| Ok(Frame::trailers(trailers))));
                }
                Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_none(),
            Self::Stream { source, next, trailers: Trailers::Unwanted, .. } => lock(source).is_done(*next),
            Self::Stream { source, next, trailers, .. } => {
                let source = lock(source);
                source.is_over(*next) && (*trailers == Trailers::Given || source.trailers.is_none())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream { .. } => SizeHint::default(),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    /// A body of so many bytes, in one piece or in two.
    async fn body(size: usize, pieces: usize, buffering: bool) -> RequestBody {
        let bytes = Bytes::from(vec![b'x'; size]);
        let body = match pieces {
            1 => Full::new(bytes).boxed(),
            _ => Pieces(Some(bytes.slice(..size / 2)), Some(bytes.slice(size / 2..))).boxed(),
        };
        read_as(body, buffering).await
    }

    async fn read_as<B>(body: B, buffering: bool) -> RequestBody
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut body = RequestBody::new(body, buffering);
        body.gather().await.unwrap();
        body
    }

    /// Two pieces, of which the second must be waited for.
    struct Pieces(Option<Bytes>, Option<Bytes>);

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            match (self.0.take(), self.1.take()) {
                (Some(first), second) => {
                    self.1 = second;
                    Poll::Ready(Some(Ok(Frame::data(first))))
                }
                (None, Some(second)) => {
                    (self.0, self.1) = (Some(second), None);
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                (None, None) => Poll::Ready(None),
            }
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact([&self.0, &self.1].into_iter().flatten().map(|piece| piece.len() as u64).sum())
        }
    }

    async fn read(feed: Feed) -> usize {
        feed.collect().await.unwrap().to_bytes().len()
    }

    #[tokio::test]
    async fn a_body_can_be_sent_again_while_all_that_was_sent_is_kept() {
        for (size, buffering, again) in [
            (0, false, true),
            (1, true, true),
            (64 * 1024, true, true),
            (64 * 1024 + 1, true, false),
            (1, false, false),
        ] {
            for pieces in [1, 2] {
                let body = body(size, pieces, buffering).await;
                let unused = body.feed();
                assert!(body.can_replay(), "nothing was sent yet");
                drop(unused);
                assert_eq!(read(body.feed()).await, size);
                assert_eq!(body.can_replay(), again, "{size} bytes in {pieces}, buffering {buffering}");
                if again {
                    assert_eq!(read(body.feed()).await, size);
                }
            }
        }
    }

    /// So many chunks of one byte.
    struct Drops(u64);

    impl HttpBody for Drops {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
            self.0 = left;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    #[tokio::test]
    async fn a_body_of_countless_chunks_is_not_kept() {
        for (chunks, whole) in [(1000, true), (5000, false)] {
            let body = read_as(Drops(chunks), true).await;
            assert_eq!(body.length(), if whole { Length::Known(chunks) } else { Length::Unknown });
            assert_eq!(read(body.feed()).await as u64, chunks, "it streams all the same");
            assert_eq!(body.can_replay(), whole);
        }
    }

    #[tokio::test]
    async fn an_earlier_attempt_takes_nothing_from_a_later_one() {
        let body = body(6, 2, true).await;
        let earlier = body.feed();
        let later = body.feed();
        assert!(earlier.collect().await.is_err());
        assert_eq!(read(later).await, 6);
    }

    #[tokio::test]
    async fn the_connection_learns_when_it_was_given_everything() {
        for (size, pieces) in [(0, 1), (5, 1), (5, 2)] {
            let body = body(size, pieces, true).await;
            let mut feed = body.feed();
            for piece in 0..pieces {
                assert_eq!(feed.is_end_stream(), size == 0, "{size} {piece}");
                feed.frame().await;
            }
            assert!(feed.is_end_stream());
        }
    }
}
