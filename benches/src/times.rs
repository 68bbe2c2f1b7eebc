//! What a service takes for a request.

use std::{
    convert::Infallible,
    hint::black_box,
    pin::pin,
    task::{Context as Task, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use rustix::time::{ClockId, clock_gettime};
use tower_service::Service;

/// The processor time this thread has had: others may be busy, too.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Times so many calls of a service that answers at once, without making the requests; the response is dropped as a server
/// does when it has sent it. After each 64 something else may be done, in time of its own.
pub fn times<S, B>(
    service: &mut S,
    count: u64,
    request: impl Fn() -> Request<Full<Bytes>>,
    mut between: impl FnMut(),
) -> Duration
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
{
    const BATCH: u64 = 64;
    let mut task = Task::from_waker(Waker::noop());
    let (mut took, mut left) = (Duration::ZERO, count);
    while left > 0 {
        let batch = left.min(BATCH);
        left -= batch;
        let requests: Vec<_> = (0..batch).map(|_| request()).collect();
        let begin = cpu_time();
        for request in requests {
            let answer = pin!(service.call(request)).poll(&mut task);
            let Poll::Ready(Ok(response)) = answer else { continue };
            drop(black_box(response));
        }
        took += cpu_time().saturating_sub(begin);
        between();
    }
    took
}
