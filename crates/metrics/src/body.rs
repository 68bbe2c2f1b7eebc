//! A body by whose end one sees that a response is over.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// Watches a response's body; it is dropped when the response is over, sent or not.
pub trait Watch {
    /// So many bytes of it are on their way.
    fn passed(&mut self, bytes: usize);
}

pin_project! {
    /// A response's body that is watched; otherwise it is the body it was given.
    #[derive(Debug)]
    pub struct WatchedBody<B, W> {
        #[pin]
        body: B,
        watch: Option<W>,
    }
}

impl<B, W> WatchedBody<B, W> {
    pub(crate) fn new(body: B, watch: Option<W>) -> Self {
        Self { body, watch }
    }
}

impl<B: Body, W: Watch> Body for WatchedBody<B, W> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let (Some(watch), Some(Ok(frame))) = (this.watch, &frame) {
            watch.passed(frame.data_ref().map_or(0, Buf::remaining));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
