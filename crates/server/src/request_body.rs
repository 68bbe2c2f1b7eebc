//! The client's body: not longer than allowed, not slower than allowed.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use towergate_core::BoxError;

/// What is wrong with a client's body. It is always the client's fault: no reason to repeat a
/// request, nor to think ill of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientBodyError(Fault);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    TooLarge,
    TooSlow,
    Broken,
}

impl ClientBodyError {
    /// Whether it is longer than `client_max_body_size`.
    pub fn is_too_large(&self) -> bool {
        self.0 == Fault::TooLarge
    }

    /// Whether nothing came for longer than the body timeout.
    pub fn is_timeout(&self) -> bool {
        self.0 == Fault::TooSlow
    }

    /// The status to answer with, if nothing has been answered yet: 413, 408 or 400.
    pub fn status(&self) -> StatusCode {
        match self.0 {
            Fault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Fault::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Fault::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

impl fmt::Display for ClientBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Fault::TooLarge => "the client's body is larger than client_max_body_size",
            Fault::TooSlow => "the client sent nothing of its body for too long",
            Fault::Broken => "the client's body broke off or is malformed",
        })
    }
}

impl Error for ClientBodyError {}

/// What a body tells about itself while it comes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Note {
    wrong: Arc<OnceLock<ClientBodyError>>,
    /// How many bytes have come.
    pub(crate) received: Arc<AtomicU64>,
}

impl Note {
    /// What went wrong with it, for whoever answers the request.
    pub(crate) fn wrong(&self) -> Option<ClientBodyError> {
        self.wrong.get().copied()
    }
}

/// What the client sends, within limits.
pub(crate) struct RequestBody<B> {
    incoming: B,
    // How many bytes may still come; `None` for any number.
    left: Option<u64>,
    patience: Duration,
    // Made when there is something to wait for, which for most bodies is once; set anew whenever
    // waiting begins, so that a slow reader of the body does not count as a slow client.
    timer: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
    note: Note,
}

impl<B> RequestBody<B> {
    pub(crate) fn new(incoming: B, limit: Option<u64>, patience: Duration, note: Note) -> Self {
        Self { incoming, left: limit, patience, timer: None, is_waiting: false, note }
    }

    fn fail(&self, fault: Fault) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let error = ClientBodyError(fault);
        let _ = self.note.wrong.set(error);
        Poll::Ready(Some(Err(error.into())))
    }

    fn is_within_limit(&mut self, frame: &Frame<Bytes>) -> bool {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.note.received.fetch_add(length, Relaxed);
        let Some(left) = self.left.as_mut() else { return true };
        match left.checked_sub(length) {
            Some(less) => {
                *left = less;
                true
            }
            None => false,
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = self.patience;
        let begins = !std::mem::replace(&mut self.is_waiting, true);
        match &mut self.timer {
            None => self.timer = Some(Box::pin(tokio::time::sleep(patience))),
            Some(timer) if begins => {
                if let Some(end) = Instant::now().checked_add(patience) {
                    timer.as_mut().reset(end);
                }
            }
            Some(_) => {}
        }
        self.timer.as_mut().map_or(Poll::Pending, |timer| timer.as_mut().poll(cx))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) else {
            ready!(this.wait(cx));
            return this.fail(Fault::TooSlow);
        };
        this.is_waiting = false;
        match frame {
            None => Poll::Ready(None),
            Some(Err(_)) => this.fail(Fault::Broken),
            Some(Ok(frame)) if this.is_within_limit(&frame) => Poll::Ready(Some(Ok(frame))),
            Some(Ok(_)) => this.fail(Fault::TooLarge),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
