//! The upstream's response body on its way to the client.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use towergate_core::{Body, BoxError};

use crate::{
    connection::Received,
    error::{Error, Kind},
    pool::Lease,
};

/// Makes a response's body; one that is at hand already is passed on as it is, and its connection
/// is free again. `reusable` says whether the upstream will take more requests on it.
pub(crate) async fn body(incoming: Received, lease: Lease, read_timeout: Duration, reusable: bool) -> Body {
    let mut answer = Answer {
        incoming,
        read: None,
        lease: Some(lease),
        reusable,
        read_timeout,
        stall: None,
        waiting: false,
        broken: false,
    };
    if answer.incoming.is_end_stream() {
        answer.finish();
        return Body::Empty;
    }
    // One look without waiting: small bodies usually arrive together with the head.
    let first = poll_fn(|cx| Poll::Ready(answer.poll_data(cx))).await;
    match first {
        Poll::Ready(Some(Ok(bytes))) if answer.lease.is_none() => Body::from(bytes),
        Poll::Ready(Some(Ok(bytes))) => {
            answer.read = Some(bytes);
            Body::boxed(answer)
        }
        Poll::Ready(None) => Body::Empty,
        Poll::Ready(Some(Err(error))) => Body::boxed(Broken(Some(error))),
        Poll::Pending => Body::boxed(answer),
    }
}

/// A response body that frees its connection at the end and gives up when nothing comes for too
/// long. A break is passed on as an error, so that the client never takes it for the end.
struct Answer {
    incoming: Received,
    /// Read before the client asked.
    read: Option<Bytes>,
    lease: Option<Lease>,
    reusable: bool,
    read_timeout: Duration,
    stall: Option<Pin<Box<Sleep>>>,
    /// Whether `stall` runs.
    waiting: bool,
    broken: bool,
}

impl Answer {
    fn finish(&mut self) {
        if let Some(lease) = self.lease.take().filter(|_| self.reusable) {
            lease.finish();
        }
    }

    fn break_off(&mut self, error: Error) -> Error {
        let address = self.lease.take().map(|lease| lease.key.address);
        self.broken = true;
        let side = error.side().as_str();
        tracing::error!(upstream = ?address, side, cause = %error, "Response broken off");
        error
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.broken {
            return Poll::Ready(None);
        }
        loop {
            let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(self.poll_stall(cx));
                    let error = Error::new(Kind::ReadTimeout(self.read_timeout));
                    return Poll::Ready(Some(Err(self.break_off(error))));
                }
            };
            self.waiting = false;
            match frame.map(|frame| frame.map(Frame::into_data)) {
                None => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Some(Err(cause)) => return Poll::Ready(Some(Err(self.break_off(cause.into())))),
                Some(Ok(Ok(bytes))) => {
                    if self.incoming.is_end_stream() {
                        self.finish();
                    }
                    return Poll::Ready(Some(Ok(bytes)));
                }
                // Trailers are passed on for gRPC only, as Kong does.
                Some(Ok(Err(_trailers))) => {}
            }
        }
    }

    /// Ready when nothing has come for too long.
    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.read_timeout;
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !std::mem::replace(&mut self.waiting, true) {
            stall.as_mut().reset(Instant::now() + limit);
        }
        stall.as_mut().poll(cx)
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Some(bytes) = this.read.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        this.poll_data(cx).map(|data| data.map(|data| data.map(Frame::data).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_none() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let rest = self.incoming.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}

/// A body that broke off before its first byte.
struct Broken(Option<Error>);

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.get_mut().0.take().map(|error| Err(error.into())))
    }
}
