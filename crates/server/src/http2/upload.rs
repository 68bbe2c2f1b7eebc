//! A request's body as it comes in frames.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use towergate_core::BoxError;

/// What hyper receives, with an end only where the client has ended it.
///
/// hyper takes a stream that its client has reset with `NO_ERROR` for one that is over. To an
/// upstream, half a body must not look like a whole one.
pub(crate) struct Upload(pub(crate) Incoming);

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
            None if !self.0.is_end_stream() => Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())),
            frame => frame.map(|frame| frame.map_err(Into::into)),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
