//! Bodies that must not turn out to be too large.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;

use crate::{body::GuardBody, guard::BodyLimit, reply::Reply};

/// Adds a limit: the lesser one counts.
pub(crate) fn narrow(limit: &mut Option<BodyLimit>, new: BodyLimit) {
    if limit.as_ref().is_none_or(|old| new.bytes < old.bytes) {
        *limit = Some(new);
    }
}

/// Whether the body is within the limit for sure, before any of it is read.
pub(crate) fn is_kept(limit: Option<&BodyLimit>, body: &impl HttpBody) -> bool {
    let Some(limit) = limit else { return true };
    body.is_end_stream() || body.size_hint().upper().is_some_and(|most| most <= limit.bytes)
}

/// Calls the inner service, and answers in its place as soon as the body turns out to be too large:
/// `Err` is that answer. After the response has begun, only the reader of the body is told.
pub(crate) async fn call<S, B, R>(
    mut inner: S,
    request: Request<GuardBody<B>>,
    limit: Option<BodyLimit>,
) -> Result<Result<Response<R>, S::Error>, Reply>
where
    S: Service<Request<GuardBody<B>>, Response = Response<R>>,
    B: HttpBody<Data = Bytes>,
{
    let Some(limit) = limit else { return Ok(inner.call(request).await) };
    if request.body().least_size() > limit.bytes {
        return Err(limit.otherwise);
    }
    let is_exceeded = Arc::new(AtomicBool::new(false));
    let request = request.map(|body| body.limited(limit.bytes, is_exceeded.clone()));
    let mut response = pin!(inner.call(request));
    let mut otherwise = Some(limit.otherwise);
    poll_fn(move |task| {
        let polled = response.as_mut().poll(task);
        match otherwise.take_if(|_| is_exceeded.load(Ordering::Relaxed)) {
            Some(reply) => Poll::Ready(Err(reply)),
            None => polled.map(Ok),
        }
    })
    .await
}
