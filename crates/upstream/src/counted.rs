//! A response that counts as a request under way until its end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use towergate_balancer::{Flight, Permit};
use towergate_core::{Body, BoxError};

/// What counts as long as a request is under way.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// At its target, where the algorithm looks at that.
    pub(crate) flight: Option<Flight>,
    /// At its upstream, where that is given but so many.
    pub(crate) permit: Option<Permit>,
}

impl Held {
    fn is_nothing(&self) -> bool {
        self.flight.is_none() && self.permit.is_none()
    }
}

/// Keeps the request in flight until the body is read to its end or given up.
pub(crate) fn response(response: Response<Body>, held: Held) -> Response<Body> {
    if held.is_nothing() || response.body().is_end_stream() {
        return response;
    }
    response.map(|body| Body::Boxed(Box::pin(Counted { body, held })))
}

struct Counted {
    body: Body,
    held: Held,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let is_over = matches!(frame, Poll::Ready(None | Some(Err(_))));
        if is_over || self.body.is_end_stream() {
            self.held = Held::default();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
