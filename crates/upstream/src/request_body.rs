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

use crate::{
    activity::Activity,
    error::{Error, Kind},
};

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
    source: Option<Arc<Mutex<Source>>>,
    length: Length,
}

impl RequestBody {
    /// Takes the client's body. `buffering` keeps its first [`KEPT`] bytes for another attempt.
    pub(crate) fn new<B>(body: B, buffering: bool) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let length = body.size_hint().exact().map_or(Length::Unknown, Length::Known);
        if body.is_end_stream() || length == Length::Known(0) {
            return Self { source: None, length: Length::Known(0) };
        }
        let room = match length {
            Length::Known(bytes) if bytes > KEPT => 0,
            _ if !buffering => 0,
            _ => KEPT,
        };
        let body = Box::pin(http_body_util::BodyExt::map_err(body, Into::into));
        let source = Source {
            body,
            kept: Vec::new(),
            room,
            lost: false,
            ended: false,
            trailers: None,
            failure: None,
            attempt: 0,
        };
        Self { source: Some(Arc::new(Mutex::new(source))), length }
    }

    /// Reads a body of unknown length as far as it is kept; a shorter one has a length then.
    pub(crate) async fn gather(&mut self) -> Result<(), Error> {
        let (Length::Unknown, Some(source)) = (self.length, &self.source) else { return Ok(()) };
        if lock(source).room == 0 {
            return Ok(());
        }
        let gathered = poll_fn(|cx| lock(source).poll_gather(cx)).await;
        let whole = gathered.map_err(|cause| Error::new(Kind::ClientBody(cause.to_string())))?;
        if let Some(bytes) = whole {
            self.length = Length::Known(bytes);
        }
        Ok(())
    }

    pub(crate) fn length(&self) -> Length {
        self.length
    }

    /// The body for a new attempt; feeds of earlier ones give nothing any more.
    pub(crate) fn feed(&self, activity: &Arc<Activity>) -> Feed {
        if self.source.is_none() {
            activity.request_given();
        }
        self.feed_to(Reader::Http1(activity.clone()))
    }

    /// The same with the trailers.
    pub(crate) fn feed_whole(&self) -> Feed {
        self.feed_to(Reader::Http2 { had_trailers: false })
    }

    fn feed_to(&self, reader: Reader) -> Feed {
        let stream = self.source.as_ref().map(|source| {
            let mut locked = lock(source);
            locked.attempt = locked.attempt.wrapping_add(1);
            Stream { source: source.clone(), attempt: locked.attempt, next: 0, reader }
        });
        Feed { stream }
    }

    /// Whether another attempt could send the whole body.
    pub(crate) fn can_replay(&self) -> bool {
        self.source.as_ref().is_none_or(|source| !lock(source).lost)
    }

    /// What the client's side ended the body with, if it was an error.
    pub(crate) fn failure(&self) -> Option<Error> {
        let failure = lock(self.source.as_ref()?).failure.clone()?;
        Some(Error::new(Kind::ClientBody(failure)))
    }
}

/// The client's body and what has been kept of it.
struct Source {
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

impl Source {
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
pub(crate) struct Feed {
    stream: Option<Stream>,
}

struct Stream {
    source: Arc<Mutex<Source>>,
    attempt: u32,
    next: usize,
    reader: Reader,
}

/// Who sends a body on.
enum Reader {
    /// Reports when it was given everything. Trailers do not go to HTTP/1.1 upstreams, as in Kong.
    Http1(Arc<Activity>),
    /// Takes trailers too, after everything else.
    Http2 { had_trailers: bool },
}

impl Feed {
    /// There will be no other attempt: what was kept for one is let go.
    pub(crate) fn keep_no_more(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        let mut source = lock(&stream.source);
        source.room = 0;
        if stream.next >= source.kept.len() {
            source.lost = true;
            source.kept = Vec::new();
            stream.next = 0;
        }
    }
}

impl HttpBody for Feed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(stream) = &mut self.get_mut().stream else { return Poll::Ready(None) };
        let mut source = lock(&stream.source);
        if source.attempt != stream.attempt {
            return Poll::Ready(Some(Err("a later attempt has taken over".into())));
        }
        let chunk = ready!(source.poll_next(cx, &mut stream.next));
        match &mut stream.reader {
            Reader::Http1(activity) if source.is_done(stream.next) => activity.request_given(),
            Reader::Http2 { had_trailers } if chunk.is_none() && !*had_trailers => {
                *had_trailers = true;
                return Poll::Ready(source.trailers.clone().map(|trailers| Ok(Frame::trailers(trailers))));
            }
            _ => {}
        }
        Poll::Ready(chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        let Some(stream) = &self.stream else { return true };
        let source = lock(&stream.source);
        match stream.reader {
            Reader::Http1(_) => source.is_done(stream.next),
            Reader::Http2 { had_trailers } => {
                source.is_over(stream.next) && (had_trailers || source.trailers.is_none())
            }
        }
    }

    // The length is announced by header; the body itself is handed on as it comes.
    fn size_hint(&self) -> SizeHint {
        if self.stream.is_none() { SizeHint::with_exact(0) } else { SizeHint::default() }
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

    fn body(size: usize, buffering: bool) -> RequestBody {
        RequestBody::new(Full::new(Bytes::from(vec![b'x'; size])), buffering)
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
            let body = body(size, buffering);
            let activity = Arc::new(Activity::new());
            let unused = body.feed(&activity);
            assert!(body.can_replay(), "nothing was sent yet");
            drop(unused);
            assert_eq!(read(body.feed(&activity)).await, size);
            assert_eq!(body.can_replay(), again, "{size} bytes, buffering {buffering}");
            if again {
                assert_eq!(read(body.feed(&activity)).await, size);
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
            let mut body = RequestBody::new(Drops(chunks), true);
            body.gather().await.unwrap();
            assert_eq!(body.length(), if whole { Length::Known(chunks) } else { Length::Unknown });
            assert_eq!(read(body.feed(&Arc::new(Activity::new()))).await as u64, chunks, "it streams all the same");
            assert_eq!(body.can_replay(), whole);
        }
    }

    #[tokio::test]
    async fn an_earlier_attempt_takes_nothing_from_a_later_one() {
        let body = body(5, true);
        let activity = Arc::new(Activity::new());
        let earlier = body.feed(&activity);
        let later = body.feed(&activity);
        assert!(earlier.collect().await.is_err());
        assert!(body.failure().is_none(), "that is not the client's fault");
        assert_eq!(read(later).await, 5);
    }

    #[tokio::test]
    async fn the_connection_learns_when_it_was_given_everything() {
        for size in [0, 5] {
            let activity = Arc::new(Activity::new());
            let body = body(size, true);
            let mut feed = body.feed(&activity);
            assert_eq!(activity.is_request_sent(), size == 0);
            feed.frame().await;
            assert!(activity.is_request_sent() && feed.is_end_stream());
        }
    }
}
