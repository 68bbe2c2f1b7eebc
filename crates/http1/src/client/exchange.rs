//! Waiting for a response while the request is sent.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body as HttpBody;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Body, Inner, READ,
    error::{BoxError, Error, ErrorKind},
    link::Link,
    request::Asked,
};
use crate::head::{self, ResponseHead};

/// How many bytes may come before the response. No head is as long; but interim responses (1xx) can
/// be sent without end, and each of them is work.
const BEFORE_ANSWER: u64 = 4 << 20;

/// The future of a response: it sends the request, and is ready with the head of the response, which
/// may be earlier than the request is sent. Dropping it closes the connection.
#[must_use = "nothing is sent before it is polled"]
pub struct Exchange<T, B> {
    /// `None` when it is over.
    link: Option<Link<T, B>>,
    asked: Asked,
}

impl<T, B> Exchange<T, B> {
    pub(super) fn new(link: Link<T, B>, asked: Asked) -> Self {
        Self { link: Some(link), asked }
    }
}

impl<T, B> Future for Exchange<T, B>
where
    T: AsyncRead + AsyncWrite + Unpin,
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<Body<T, B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(link) = &mut this.link else { return Poll::Pending };
        let head = ready!(poll_head(link, cx));
        let Some(link) = this.link.take() else { return Poll::Pending };
        Poll::Ready(head.and_then(|head| respond(link, head, this.asked)))
    }
}

fn poll_head<T, B>(link: &mut Link<T, B>, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, Error>>
where
    T: AsyncRead + AsyncWrite + Unpin,
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    link.send(cx)?;
    loop {
        link.connection.inner.buffers.make_room(READ);
        match link.poll_read(cx) {
            Poll::Ready(Ok(_)) if link.heard() > BEFORE_ANSWER => {
                return Poll::Ready(Err(link.told(Error::new(ErrorKind::NoAnswer))));
            }
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(error)) => {
                let buffers = &mut link.connection.inner.buffers;
                let checked = buffers.head.check_rest(&buffers.read);
                return Poll::Ready(Err(checked.err().map_or(error, |wrong| link.told(wrong))));
            }
            Poll::Pending => {
                let owes = link.is_sent();
                return link.poll_stalled(cx, owes, true).map(Err);
            }
        }
        if let Some(head) = take_head(link)? {
            return Poll::Ready(Ok(head));
        }
    }
}

/// The head of the response that is not an interim one, if it has come.
fn take_head<T, B>(link: &mut Link<T, B>) -> Result<Option<ResponseHead>, Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let Inner { buffers, room, .. } = &mut *link.connection.inner;
    loop {
        match buffers.head.take_response(&mut buffers.read, *room) {
            Ok(Some(head)) if head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS => {}
            Ok(head) => return Ok(head),
            Err(error) => return Err(link.told(error)),
        }
    }
}

fn respond<T, B>(link: Link<T, B>, head: ResponseHead, asked: Asked) -> Result<Response<Body<T, B>>, Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let framing = head::framing(asked, &head).map_err(|error| link.told(error))?;
    let switched =
        head.status == StatusCode::SWITCHING_PROTOCOLS || (asked == Asked::Connect && head.status.is_success());
    let body = match switched {
        true => Body::switched(link),
        false => Body::new(link, framing, head.keeps_alive(), head.told.is_plain(framing)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.version_mut() = head.version;
    *response.headers_mut() = head.headers;
    if !head.spelling.is_empty() {
        response.extensions_mut().insert(head.spelling);
    }
    Ok(response)
}

impl<T, B> fmt::Debug for Exchange<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("asked", &self.asked).finish_non_exhaustive()
    }
}
