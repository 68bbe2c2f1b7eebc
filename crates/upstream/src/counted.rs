//! A response that counts as a request under way until its end.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use towergate_balancer::Flight;
use towergate_core::{Body, BoxError};

/// Keeps the request in flight until the body is read to its end or given up, where the upstream's
/// algorithm looks at that.
pub(crate) fn response(response: Response<Body>, flight: Option<Flight>) -> Response<Body> {
    match flight {
        Some(flight) if !response.body().is_end_stream() => {
            response.map(|body| Body::Boxed(Box::pin(Counted { body, flight: Some(flight) })))
        }
        _ => response,
    }
}

struct Counted {
    body: Body,
    flight: Option<Flight>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        let is_over = matches!(frame, Poll::Ready(None | Some(Err(_))));
        if is_over || self.body.is_end_stream() {
            self.flight = None;
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
