//! The upstream's response body on its way to the client.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::{task::AbortHandle, time::Instant};
use towergate_core::{Body, BoxError};
use towergate_http1::client::Upgraded;

use crate::{
    connection::{Connection, Received},
    error::Error,
    pool::Berth,
    transport::Transport,
};

/// A response's body as it came with the head: small, because it is handed on from step to step.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// All of it, and the connection if that can take another request.
    Whole(Bytes, Option<Connection>),
    /// There is more to come.
    Rest(Box<Received>),
}

impl From<Received> for Arrived {
    fn from(received: Received) -> Self {
        match received.complete() {
            Ok((bytes, connection)) => Self::Whole(bytes, connection.map(Connection::reclaimed)),
            Err(received) => Self::Rest(Box::new(received)),
        }
    }
}

/// What the connection has become, if it is no HTTP connection any more.
///
/// # Errors
/// With the body, if it is.
pub(crate) fn upgraded(received: Box<Received>) -> Result<Option<Upgraded<Transport>>, Box<Received>> {
    if received.is_upgrade() { Ok(received.upgrade()) } else { Err(received) }
}

/// Makes a response's body of what is not at hand yet.
pub(crate) async fn body(received: Box<Received>, berth: Berth) -> Body {
    let mut answer = Answer { source: Source::new(received).await, read: None, berth: Some(berth) };
    // One look without waiting: the beginning usually arrives together with the head.
    let first = poll_fn(|cx| Poll::Ready(answer.poll_data(cx))).await;
    match first {
        Poll::Ready(Some(Ok(bytes))) if answer.berth.is_none() => Body::from(bytes),
        Poll::Ready(Some(Ok(bytes))) => {
            answer.read = Some(bytes);
            Body::Boxed(Box::pin(answer))
        }
        Poll::Ready(None) => Body::Empty,
        Poll::Ready(Some(Err(error))) => Body::boxed(Broken(Some(error))),
        Poll::Pending => Body::Boxed(Box::pin(answer)),
    }
}

/// A response body that frees its connection at the end. A break is passed on as an error, so that
/// the client never takes it for the end.
struct Answer {
    source: Source,
    /// Read before the client asked.
    read: Option<Bytes>,
    /// `None` when the connection is free, or closed.
    berth: Option<Berth>,
}

/// Where a response's body is read from.
enum Source {
    Own(Box<Received>),
    /// The response came before its request was over, the rest of which a task sends: it must not
    /// wait until the client reads, which may be only after it has sent everything.
    Shared(Arc<Mutex<Received>>, AbortHandle),
}

impl Source {
    async fn new(mut received: Box<Received>) -> Self {
        if !received.is_sending() {
            return Self::Own(received);
        }
        // Sending begins here, before anybody reads: a reader that came before it would not be told
        // when the request breaks off.
        let _ = poll_fn(|cx| Poll::Ready(received.poll_request(cx))).await;
        let received = Arc::new(Mutex::new(*received));
        let shared = received.clone();
        let sending = tokio::spawn(poll_fn(move |cx| lock(&shared).poll_request(cx)));
        Self::Shared(received, sending.abort_handle())
    }

    fn with<A>(&mut self, use_it: impl FnOnce(&mut Received) -> A) -> A {
        match self {
            Self::Own(received) => use_it(received),
            Self::Shared(received, _) => use_it(&mut lock(received)),
        }
    }

    fn ask<A>(&self, question: impl FnOnce(&Received) -> A) -> A {
        match self {
            Self::Own(received) => question(received),
            Self::Shared(received, _) => question(&lock(received)),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Self::Shared(_, sending) = self {
            sending.abort();
        }
    }
}

fn lock(received: &Mutex<Received>) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Answer {
    fn finish(&mut self) {
        if let (Some(berth), Some(connection)) = (self.berth.take(), self.source.with(Received::reclaim)) {
            berth.keep(Connection::reclaimed(connection), Instant::now());
        }
    }

    fn break_off(&mut self, error: Error) -> Error {
        let address = self.berth.take().map(|berth| berth.key.address);
        let side = error.side().as_str();
        tracing::error!(upstream = ?address, side, cause = %error, "Response broken off");
        error
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            let frame = ready!(self.source.with(|received| Pin::new(received).poll_frame(cx)));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                None => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Some(Err(cause)) => return Poll::Ready(Some(Err(self.break_off(cause.into())))),
                Some(Ok(Ok(bytes))) => {
                    if self.source.ask(HttpBody::is_end_stream) {
                        self.finish();
                    }
                    return Poll::Ready(Some(Ok(bytes)));
                }
                // Trailers are passed on for gRPC only, as Kong does.
                Some(Ok(Err(_trailers))) => {}
            }
        }
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
        self.read.is_none() && self.source.ask(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let rest = self.source.ask(HttpBody::size_hint);
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
