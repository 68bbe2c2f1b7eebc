//! A connection's socket and what was read from it: shared by the connection and the body of the
//! request that it serves.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::{BodyError, body::Source, buffers, request_head::Length};
use crate::chunked::{Decoded, Decoder};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How much more of a head is read at once when the first read did not bring all of it.
const HEAD_STEP: usize = 4 * 1024;

/// How much of a body is read at once: at first, and as long as the client keeps up.
const BODY_STEPS: (usize, usize) = (16 * 1024, 256 * 1024);

pub(super) struct Io<T> {
    // Gone after an upgrade.
    stream: Option<T>,
    /// What was read and not used yet.
    pub(super) read: BytesMut,
    // Whether `read` has been something else than an empty buffer of its own since it was released.
    is_held: bool,
    /// The body of the request that is served.
    coding: Coding,
    // Which request that is; a body of an earlier one has nothing to say any more.
    request: u64,
    // Whether there is somebody to read the body.
    is_wanted: bool,
    is_continue_expected: bool,
    // What is still to be sent of `100 Continue`.
    interim: &'static [u8],
    step: usize,
    // Who waits for the body.
    waiting: Option<Waker>,
}

/// How the rest of a request's body comes.
#[derive(Debug)]
enum Coding {
    Ended,
    Length(u64),
    Chunked(Box<Decoder>),
    Broken(BodyError),
}

impl<T> Io<T> {
    pub(super) fn new(stream: T) -> Self {
        Self::of(Some(stream))
    }

    /// All of it, to be kept elsewhere.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::of(None))
    }

    fn of(stream: Option<T>) -> Self {
        Self {
            stream,
            read: BytesMut::new(),
            is_held: false,
            coding: Coding::Ended,
            request: 0,
            is_wanted: false,
            is_continue_expected: false,
            interim: &[],
            step: BODY_STEPS.0,
            waiting: None,
        }
    }

    /// A request begins whose body is to be read from here; answers its number.
    pub(super) fn begin_body(&mut self, length: Length, is_continue_expected: bool) -> u64 {
        self.coding = match length {
            Length::Exact(length) => Coding::Length(length),
            Length::Chunked => Coding::Chunked(Box::default()),
        };
        self.is_wanted = true;
        // A client that has sent some of it does not wait.
        self.is_continue_expected = is_continue_expected && self.read.is_empty();
        self.step = BODY_STEPS.0;
        self.request = self.request.wrapping_add(1);
        self.request
    }

    /// From now on nobody but the connection reads the body.
    pub(super) fn take_body_back(&mut self) {
        self.request = self.request.wrapping_add(1);
        self.is_wanted = false;
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    /// The final response begins: there is no need to ask for the body any more. Answers whether the
    /// client may still wait for that.
    pub(super) fn forget_continue(&mut self) -> bool {
        let has_not_begun = self.interim.len() == CONTINUE.len();
        if has_not_begun {
            self.interim = &[];
        }
        std::mem::take(&mut self.is_continue_expected) || has_not_begun
    }

    /// Whether all of the body has been read, or there was none.
    pub(super) fn is_body_ended(&self) -> bool {
        matches!(self.coding, Coding::Ended)
    }

    /// Whether bytes of the body will not be read by the service; how many are known to come.
    pub(super) fn unwanted(&self) -> Option<u64> {
        match &self.coding {
            Coding::Broken(_) => Some(u64::MAX),
            Coding::Ended => None,
            _ if self.is_wanted => None,
            Coding::Length(left) => Some(left.saturating_sub(self.read.len() as u64)),
            Coding::Chunked(decoder) => Some(decoder.left()),
        }
    }

    pub(super) fn stream(&mut self) -> io::Result<&mut T> {
        self.stream.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// The socket and what was read of the next protocol.
    pub(super) fn take_stream(&mut self) -> Option<(T, Bytes)> {
        Some((self.stream.take()?, std::mem::take(&mut self.read).freeze()))
    }

    /// Holds no buffer while there is nothing in it.
    pub(super) fn release(&mut self) {
        if self.is_held && self.read.is_empty() {
            self.read = BytesMut::new();
            self.is_held = false;
        }
    }

    /// What is left over of a block that others go on with is better kept apart.
    pub(super) fn keep_apart(&mut self) {
        if !self.read.is_empty() && self.read.capacity() < HEAD_STEP {
            self.read = BytesMut::from(&*self.read);
        }
    }
}

impl<T: AsyncRead + Unpin> Io<T> {
    /// Reads some bytes after those that were read before. 0 is the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Self { stream, read, is_held, .. } = self;
        let Some(stream) = stream else { return Poll::Ready(Ok(0)) };
        if !read.is_empty() {
            read.reserve(HEAD_STEP);
            return poll_read(stream, read, cx);
        }
        buffers::with_block(|block| {
            let count = ready!(poll_read(stream, block, cx))?;
            *read = block.split();
            *is_held = true;
            Poll::Ready(Ok(count))
        })
    }

    /// Reads some bytes and forgets them.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.read = BytesMut::new();
        let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(0)) };
        buffers::with_block(|block| {
            let result = poll_read(stream, block, cx);
            block.clear();
            result
        })
    }

    /// Reads some of a body into a buffer for it alone, which is as large as it is likely to need.
    fn poll_fill_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let step = match &self.coding {
            Coding::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX).min(self.step),
            _ => self.step,
        };
        let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(0)) };
        self.is_held = true;
        self.read.reserve(step);
        let count = ready!(poll_read(stream, &mut self.read, cx))?;
        if count >= self.step {
            self.step = self.step.saturating_mul(2).min(BODY_STEPS.1);
        }
        Poll::Ready(Ok(count))
    }
}

fn poll_read<T: AsyncRead + Unpin>(
    stream: &mut T,
    buffer: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    // Keeps no state: made anew each time.
    pin!(stream.read_buf(buffer)).poll(cx)
}

impl<T: AsyncRead + AsyncWrite + Unpin> Io<T> {
    /// Sends what must stand before the response.
    pub(super) fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, interim, .. } = self;
        let Some(stream) = stream else { return Poll::Ready(Ok(())) };
        if interim.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !interim.is_empty() {
            let count = ready!(Pin::new(&mut *stream).poll_write(cx, interim))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *interim = interim.get(count..).unwrap_or_default();
        }
        Pin::new(stream).poll_flush(cx)
    }

    /// The next piece of the request's body.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(frame) = self.take_frame() {
                return Poll::Ready(frame);
            }
            if std::mem::take(&mut self.is_continue_expected) {
                self.interim = CONTINUE;
            }
            let result = match self.poll_interim(cx) {
                Poll::Ready(Ok(())) => self.poll_fill_body(cx),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => Poll::Pending,
            };
            match result {
                Poll::Pending => return self.wait(cx),
                Poll::Ready(Ok(1..)) => {}
                // The end, or an error that means the same.
                Poll::Ready(_) => self.coding = Coding::Broken(BodyError::Incomplete),
            }
        }
    }

    fn wait<R>(&mut self, cx: &mut Context<'_>) -> Poll<R> {
        if self.waiting.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            self.waiting = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl<T> Io<T> {
    /// What there is of the body without reading more; `Some(None)` is its end.
    fn take_frame(&mut self) -> Option<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.coding {
            Coding::Ended => Some(None),
            Coding::Broken(error) => Some(Some(Err(*error))),
            Coding::Length(_) if self.read.is_empty() => None,
            Coding::Length(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(self.read.len());
                *left = left.saturating_sub(count as u64);
                if *left == 0 {
                    self.coding = Coding::Ended;
                }
                Some(Some(Ok(Frame::data(self.read.split_to(count).freeze()))))
            }
            Coding::Chunked(decoder) => match decoder.decode(&mut self.read) {
                Ok(Decoded::More) => None,
                Ok(Decoded::Data(data)) => Some(Some(Ok(Frame::data(data)))),
                Ok(Decoded::End(trailers)) => {
                    self.coding = Coding::Ended;
                    Some(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
                }
                Err(_) => {
                    self.coding = Coding::Broken(BodyError::Malformed);
                    Some(Some(Err(BodyError::Malformed)))
                }
            },
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Source for Mutex<Io<T>> {
    fn poll_frame(&self, request: u64, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut io = lock(self);
        if io.request == request { io.poll_body(cx) } else { Poll::Ready(Some(Err(BodyError::Abandoned))) }
    }

    fn abandon(&self, request: u64) {
        let mut io = lock(self);
        if io.request == request {
            io.is_wanted = false;
        }
    }
}

/// There is nobody to wait for: who shares the socket of a connection runs on one thread.
pub(super) fn lock<T>(io: &Mutex<Io<T>>) -> MutexGuard<'_, Io<T>> {
    io.lock().unwrap_or_else(PoisonError::into_inner)
}
