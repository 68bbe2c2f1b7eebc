//! The body of a request on its way upstream, trailers included.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::Body as _;
use tokio::task::AbortHandle;

use super::stall::Stall;
use crate::{
    error::{Error, Kind},
    request_body::Feed,
};

/// Sends a body as fast as the upstream takes it.
pub(crate) struct Upload {
    body: Feed,
    stream: SendStream<Bytes>,
    /// What was read of the body and not sent yet.
    chunk: Bytes,
    /// Runs while the upstream gives no room.
    stall: Stall,
}

impl Upload {
    pub(crate) fn new(body: Feed, stream: SendStream<Bytes>, write_timeout: Duration) -> Self {
        Self { body, stream, chunk: Bytes::new(), stall: Stall::new(write_timeout) }
    }

    /// Ready when everything was sent, or the upstream wants no more: why, its response says.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if !self.chunk.is_empty() {
                let Some(room) = ready!(self.poll_room(cx))? else { return Poll::Ready(Ok(())) };
                if self.send(room) {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else {
                // That the stream is gone already is for the response to tell.
                let _ = self.stream.send_data(Bytes::new(), true);
                return Poll::Ready(Ok(()));
            };
            match frame.map(|frame| frame.into_data().map_err(|frame| frame.into_trailers())) {
                Ok(Ok(chunk)) => self.chunk = chunk,
                Ok(Err(Ok(trailers))) => {
                    let _ = self.stream.send_trailers(trailers);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(Err(_unknown))) => {}
                Err(cause) => return Poll::Ready(Err(self.give_up(Kind::ClientBody(cause.to_string())))),
            }
        }
    }

    /// Sends as much of the chunk as there is room for. Answers whether there is no more to send.
    fn send(&mut self, room: usize) -> bool {
        let piece = self.chunk.split_to(room.min(self.chunk.len()));
        let is_last = self.chunk.is_empty() && self.body.is_end_stream();
        self.stream.send_data(piece, is_last).is_err() || is_last
    }

    /// How many bytes the upstream takes now; `None` if it takes none any more.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<usize>, Error>> {
        self.stream.reserve_capacity(self.chunk.len());
        loop {
            let room = self.stream.capacity();
            if room > 0 {
                self.stall.end();
                return Poll::Ready(Ok(Some(room)));
            }
            match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(_) => return Poll::Ready(Ok(None)),
                Poll::Pending => {
                    ready!(self.stall.poll(cx));
                    let limit = self.stall.limit();
                    return Poll::Ready(Err(self.give_up(Kind::WriteTimeout(limit))));
                }
            }
        }
    }

    fn give_up(&mut self, kind: Kind) -> Error {
        self.stream.send_reset(Reason::CANCEL);
        Error::new(kind)
    }

    /// Goes on by itself: the response has begun, and is read meanwhile.
    pub(crate) fn go_on(mut self) -> Uploading {
        self.body.keep_no_more();
        let failure = Arc::new(Mutex::new(None));
        let told = failure.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = poll_fn(|cx| self.poll(cx)).await {
                // The reader of the response meets the reset and asks why.
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        });
        Uploading { task: task.abort_handle(), failure }
    }
}

/// An upload that goes on beside the response; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Uploading {
    task: AbortHandle,
    failure: Arc<Mutex<Option<Error>>>,
}

impl Uploading {
    /// Why the upload was given up, if it was.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        self.task.abort();
    }
}
