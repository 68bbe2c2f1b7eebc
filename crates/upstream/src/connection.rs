//! One HTTP/1.1 connection to an upstream: the only module that knows which HTTP client drives it.

use std::{fmt, future::Future, io, pin::pin, sync::Arc, task::Poll, time::Duration};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};
use hyper_util::rt::TokioIo;
use tokio::{
    task::AbortHandle,
    time::{sleep_until, timeout},
};

use crate::{
    activity::Activity,
    error::{Error, Kind, NoAnswer, WriteStalled},
    request_body::Feed,
    transport::{Key, Transport},
    wire::Wire,
};

/// The body of a response as it is received.
pub(crate) type Received = Incoming;

/// How many header lines a response may have: as many as a request by default.
const HEADER_LINES: usize = 200;

/// How long a connection that has just been given back may take to become ready again.
const SETTLING: Duration = Duration::from_millis(50);

/// A connection to an upstream; closed when dropped, whatever is under way on it.
pub(crate) struct Connection {
    sender: http1::SendRequest<Feed>,
    driver: AbortHandle,
    activity: Arc<Activity>,
    served: u64,
}

impl Connection {
    /// Connects within the time given.
    pub(crate) async fn open(key: &Key, limit: Duration) -> Result<Self, Error> {
        let transport = Transport::dial(key, limit).await?;
        let address = key.address;
        let activity = Arc::new(Activity::new());
        let wire = TokioIo::new(Wire::new(transport, activity.clone()));
        // Names go out as the client wrote them (the server keeps that with the request), others
        // like `X-Forwarded-For`; names of the response come back as the upstream wrote them.
        let mut builder = http1::Builder::new();
        builder.preserve_header_case(true).title_case_headers(true).max_headers(HEADER_LINES);
        let (sender, connection) = builder.handshake(wire).await?;
        let driver = tokio::spawn(async move {
            if let Err(cause) = connection.await {
                tracing::trace!(%address, %cause, "Upstream connection ended");
            }
        });
        Ok(Self { sender, driver: driver.abort_handle(), activity, served: 0 })
    }

    /// What happens on it.
    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// How many requests were sent on it.
    pub(crate) fn served(&self) -> u64 {
        self.served
    }

    /// Whether it has been used before and can be again.
    pub(crate) async fn is_usable(&mut self) -> bool {
        if self.sender.is_closed() {
            return false;
        }
        self.sender.is_ready() || matches!(timeout(SETTLING, self.sender.ready()).await, Ok(Ok(())))
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) async fn send(
        &mut self,
        request: Request<Feed>,
        read_timeout: Duration,
    ) -> Result<Response<Received>, Error> {
        self.served += 1;
        let activity = &self.activity;
        let mut response = pin!(self.sender.try_send_request(request));
        let mut alarm = pin!(sleep_until(activity.last() + read_timeout));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(response) = response.as_mut().poll(cx) {
                activity.answered();
                return Poll::Ready(response.map_err(failure));
            }
            while alarm.as_mut().poll(cx).is_ready() {
                let now = tokio::time::Instant::now();
                // While the request is still on its way, the upstream owes nothing.
                let since = if activity.is_request_sent() { activity.last() } else { now };
                let deadline = since + read_timeout;
                if deadline <= now {
                    return Poll::Ready(Err(Error::new(Kind::ReadTimeout(read_timeout))));
                }
                alarm.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}

fn failure(error: TrySendError<Request<Feed>>) -> Error {
    let unsent = error.message().is_some();
    let error = Error::from(error.into_error());
    if unsent { error.unsent() } else { error }
}

impl From<hyper::Error> for Error {
    fn from(error: hyper::Error) -> Self {
        let io = std::iter::successors(std::error::Error::source(&error), |cause| cause.source())
            .find_map(|cause| cause.downcast_ref::<io::Error>());
        let inner = io.and_then(|io| io.get_ref());
        let stalled = inner.and_then(|inner| inner.downcast_ref::<WriteStalled>());
        let kind = match stalled {
            Some(WriteStalled(limit)) => Kind::WriteTimeout(*limit),
            None if inner.is_some_and(|inner| inner.is::<NoAnswer>()) => Kind::BadResponse,
            None if error.is_parse() => Kind::BadResponse,
            None if error.is_user() => Kind::BadRequest,
            None => Kind::Closed,
        };
        Self::new(kind).because(error)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("served", &self.served).finish_non_exhaustive()
    }
}
