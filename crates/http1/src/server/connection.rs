//! A connection from its first request to its last.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Sleep,
};

use super::{
    Body, BoxError, Broken, Config, Fault, Malformed, Service,
    io::Io,
    output::{Encoder, Output},
    place::Place,
    request_head::{self, Length, RequestHead},
    response_head::{self, Asked},
    scan::{self, Scan},
};
use crate::upgrade::{Closed, Granter, Upgrade};

/// How much of a body that the service did not want is read so that the connection can be kept.
const DISCARDED: u64 = 64 * 1024;

/// How much is read ahead while a request is served. More stays with the kernel.
const AHEAD: usize = 16 * 1024;

pin_project! {
    /// A connection, as a future that ends when the connection does.
    ///
    /// Its error says that a response could not be sent to its end. What a client does wrong is no
    /// error.
    #[must_use = "futures do nothing unless polled"]
    pub struct Connection<T, S: Service> {
        io: Place<T>,
        service: S,
        config: Config,
        asked: Asked,
        out: Output,
        is_shutting_down: bool,
        // Whether nobody knows what the bytes after the request are.
        is_unclean: bool,
        // For a client that wants to switch protocols, until it is answered.
        granter: Option<Granter>,
        // Another protocol is spoken, elsewhere, until this ends.
        closed: Option<Closed>,
        #[pin]
        state: State<S::Future, S::Body>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, B> {
        // Waiting for a request's head or in the middle of it.
        Reading { scan: Scan },
        // The service works on the response's head.
        Serving { #[pin] future: F },
        // There is a response, of which nothing has been written.
        Answered { response: Option<Response<B>> },
        // The response's body is being sent; the head stands in the output.
        Answering { #[pin] body: B, encoder: Encoder },
        // The response is complete; now comes what the service has not read of the request's body.
        Discarding { left: u64 },
        // Everything is said. The client may yet be sending, or not.
        Closing { lingers: bool },
        // A client that is sending is to see the answer rather than a reset.
        Lingering { timer: Pin<Box<Sleep>> },
        Closed,
    }
}

impl<T, S: Service> Connection<T, S> {
    /// A connection on this stream.
    pub fn new(stream: T, service: S, config: Config) -> Self {
        Self {
            io: Place::new(stream),
            service,
            config,
            asked: Asked::default(),
            out: Output::default(),
            is_shutting_down: false,
            is_unclean: false,
            granter: None,
            closed: None,
            state: State::Reading { scan: Scan::default() },
        }
    }

    /// Closes the connection as soon as no request is in the middle of something: a response that
    /// has not begun will say `Connection: close`. To be polled afterwards.
    pub fn shut_down(self: Pin<&mut Self>) {
        *self.project().is_shutting_down = true;
    }

    /// Does something with the stream itself, unless another protocol has it.
    pub fn with_stream<R>(self: Pin<&mut Self>, action: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.project().io.io().stream().ok().map(action)
    }
}

impl<T, S> Future for Connection<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service,
{
    type Output = Result<(), Broken>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        loop {
            let this = self.as_mut();
            ready!(match &this.state {
                State::Reading { .. } => this.poll_reading(cx),
                State::Serving { .. } => this.poll_serving(cx),
                State::Answered { .. } => this.answer(),
                State::Answering { .. } => this.poll_answering(cx)?,
                State::Discarding { .. } => this.poll_discarding(cx),
                State::Closing { .. } => this.poll_closing(cx),
                State::Lingering { .. } => this.poll_lingering(cx),
                State::Closed => return Poll::Ready(Ok(())),
            });
        }
    }
}

impl<T, S> Connection<T, S>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service,
{
    fn close(self: Pin<&mut Self>) -> Poll<()> {
        self.project().state.set(State::Closed);
        Poll::Ready(())
    }

    fn poll_reading(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let found = {
            let this = self.as_mut().project();
            let StateProjection::Reading { scan } = this.state.project() else { return Poll::Ready(()) };
            let mut io = this.io.io();
            loop {
                match read_head(&mut io, scan, this.config) {
                    Ok(None) => {}
                    Ok(Some(head)) => break Ok(head),
                    Err(malformed) => break Err(malformed),
                }
                match io.poll_fill(cx) {
                    Poll::Ready(Ok(1..)) => {}
                    // The client has gone, in peace or not.
                    Poll::Ready(_) => {
                        drop(io);
                        return self.close();
                    }
                    Poll::Pending if *this.is_shutting_down && io.read.is_empty() => {
                        drop(io);
                        self.project().state.set(State::Closing { lingers: false });
                        return Poll::Ready(());
                    }
                    Poll::Pending => {
                        io.keep_apart();
                        return Poll::Pending;
                    }
                }
            }
        };
        match found {
            Ok(head) => self.serve(head),
            Err(malformed) => self.serve_malformed(malformed),
        }
        give_way(cx)
    }

    /// Gives a request to the service.
    fn serve(self: Pin<&mut Self>, head: RequestHead) {
        let this = self.project();
        let RequestHead { mut parts, facts } = head;
        *this.asked = Asked::new(&parts, Some(&facts));
        if facts.is_upgrade {
            let (upgrade, granter) = Upgrade::pair();
            parts.extensions.insert(upgrade);
            *this.granter = Some(granter);
        }
        let body = request_body(this.io, facts.length, facts.is_continue_expected);
        let future = this.service.call(Ok(Request::from_parts(parts, body)));
        let mut state = this.state;
        state.set(State::Serving { future });
    }

    fn serve_malformed(self: Pin<&mut Self>, malformed: Malformed) {
        let mut this = self.project();
        *this.asked = Asked::new(malformed.head(), None);
        // Nobody knows what the rest is.
        *this.is_unclean = true;
        let future = this.service.call(Err(malformed));
        this.state.set(State::Serving { future });
    }

    fn poll_serving(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.as_mut().project();
        let StateProjection::Serving { future } = this.state.as_mut().project() else { return Poll::Ready(()) };
        match future.poll(cx) {
            Poll::Ready(response) => this.state.set(State::Answered { response: Some(response) }),
            Poll::Pending if is_gone(this.io, cx) => return self.close(),
            Poll::Pending => return Poll::Pending,
        }
        give_way(cx)
    }

    /// Writes the response's head.
    fn answer(mut self: Pin<&mut Self>) -> Poll<()> {
        let mut this = self.as_mut().project();
        let StateProjection::Answered { response } = this.state.as_mut().project() else { return Poll::Ready(()) };
        let Some((head, body)) = response.take().map(Response::into_parts) else { return self.close() };
        match (head.status == StatusCode::SWITCHING_PROTOCOLS, &this.granter) {
            (true, None) => return self.close(),
            (true, Some(_)) => this.asked.is_kept = true,
            (false, _) => {
                *this.granter = None;
                this.asked.is_kept &= !is_rest_in_the_way(this.io) && !*this.is_shutting_down;
            }
        }
        let exact = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
        let own = this.service.own_lines(&head, &body);
        let encoder = response_head::put(this.out.vector(), &head, exact, this.asked, own);
        this.state.set(State::Answering { body, encoder });
        Poll::Ready(())
    }

    fn poll_answering(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if let Some(closed) = self.as_mut().project().closed {
            ready!(Pin::new(closed).poll(cx));
            return self.close().map(Ok);
        }
        match ready!(self.as_mut().poll_sending(cx)) {
            Ok(true) => self.finish(),
            Ok(false) => self.project().state.set(State::Closed),
            Err(error) => {
                self.project().state.set(State::Closed);
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends the head and the body, what is ready of it together. Answers whether the client has
    /// taken all of it.
    fn poll_sending(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<bool, Broken>> {
        let this = self.project();
        let StateProjection::Answering { mut body, encoder } = this.state.project() else {
            return Poll::Ready(Ok(false));
        };
        loop {
            if this.out.is_full() || encoder.is_ended() {
                match ready!(poll_flush(this.io, this.out, cx)) {
                    Err(_) => return Poll::Ready(Ok(false)),
                    Ok(()) if encoder.is_ended() => return Poll::Ready(Ok(true)),
                    Ok(()) => {}
                }
            }
            let Poll::Ready(frame) = body.as_mut().poll_frame(cx) else {
                let is_cut = matches!(poll_flush(this.io, this.out, cx), Poll::Ready(Err(_)));
                return if is_cut || is_gone(this.io, cx) { Poll::Ready(Ok(false)) } else { Poll::Pending };
            };
            if let Err(error) = put_frame(encoder, frame, || body.is_end_stream(), this.out) {
                // What was good of it may go, if it can go now.
                let _ = poll_flush(this.io, this.out, cx);
                return Poll::Ready(Err(Broken::new(error, *encoder)));
            }
        }
    }

    /// A response is complete: what comes next?
    fn finish(self: Pin<&mut Self>) {
        let mut this = self.project();
        let mut io = this.io.io();
        io.take_body_back();
        if let Some(granter) = this.granter.take() {
            let stream = io.take_stream();
            drop(io);
            // The body lives on, for those who see by it that the request is not over.
            *this.closed = stream.map(|(stream, early)| granter.grant(stream, early));
            return;
        }
        let is_body_ended = io.is_body_ended();
        let lingers = !is_body_ended || *this.is_unclean || !io.read.is_empty();
        io.release();
        drop(io);
        this.state.set(match (this.asked.is_kept && !*this.is_shutting_down, is_body_ended) {
            (true, true) => State::Reading { scan: Scan::default() },
            (true, false) => State::Discarding { left: DISCARDED },
            (false, _) => State::Closing { lingers },
        });
    }

    fn poll_discarding(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.as_mut().project();
        let StateProjection::Discarding { left } = this.state.as_mut().project() else { return Poll::Ready(()) };
        let mut io = this.io.io();
        let next = loop {
            match io.poll_body(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                    match left.checked_sub(length) {
                        Some(less) => *left = less,
                        None => break State::Closing { lingers: true },
                    }
                }
                Poll::Ready(None) => break State::Reading { scan: Scan::default() },
                Poll::Ready(Some(Err(error))) if error.is_malformed() => break State::Closing { lingers: true },
                Poll::Ready(Some(Err(_))) => break State::Closed,
                Poll::Pending if *this.is_shutting_down => break State::Closing { lingers: true },
                Poll::Pending => return Poll::Pending,
            }
        };
        io.release();
        drop(io);
        this.state.set(next);
        Poll::Ready(())
    }

    fn poll_closing(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Ok(stream) = this.io.io().stream() {
            // Whether it succeeds changes nothing.
            let _ = ready!(Pin::new(stream).poll_shutdown(cx));
        }
        let lingers = matches!(*this.state, State::Closing { lingers: true });
        this.state.set(match lingers {
            true => State::Lingering { timer: Box::pin(tokio::time::sleep(this.config.linger)) },
            false => State::Closed,
        });
        Poll::Ready(())
    }

    fn poll_lingering(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        let StateProjection::Lingering { timer } = this.state.project() else { return Poll::Ready(()) };
        // Before reading, which may use up what a task may do at a time.
        if timer.as_mut().poll(cx).is_pending() {
            let mut io = this.io.io();
            while ready!(io.poll_discard(cx)).is_ok_and(|count| count > 0) {}
        }
        self.close()
    }
}

/// Lets the other connections of the thread have their turn before this one goes on.
///
/// Done between reading and sending, so that a thread with much to do reads all that has come and then sends all that
/// is ready. Who is at the other ends then finds several messages each time it wakes up, and waking somebody up is the
/// dearest thing about sending.
fn give_way(cx: &Context<'_>) -> Poll<()> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Takes a head off the bytes that were read, if all of it is there.
fn read_head<T>(io: &mut Io<T>, scan: &mut Scan, config: &Config) -> Result<Option<RequestHead>, Malformed> {
    let blank = scan.skip(&io.read).map_err(|fault| malformed(io, fault))?;
    io.read.advance(blank);
    if io.read.is_empty() {
        io.release();
        return Ok(None);
    }
    match scan.end(&io.read, config) {
        Ok(Some(end)) => {
            let head = io.read.split_to(end).freeze();
            io.release();
            request_head::read(&head, scan.header_lines()).map(Some)
        }
        Ok(None) if scan::is_beginning(&io.read) => Ok(None),
        Ok(None) => Err(malformed(io, Fault::RequestLine)),
        Err(fault) => Err(malformed(io, fault)),
    }
}

fn malformed<T>(io: &mut Io<T>, fault: Fault) -> Malformed {
    Malformed::new(fault, request_head::read_beginning(&io.read.split().freeze()))
}

/// The body of a request: what came with the head, or what is still to come.
fn request_body<T>(place: &mut Place<T>, length: Length, is_continue_expected: bool) -> Body
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let left = match length {
        Length::Exact(0) => return Body::default(),
        Length::Exact(length) => Some(length),
        Length::Chunked => None,
    };
    let mut io = place.io();
    match left.and_then(|left| usize::try_from(left).ok()) {
        Some(left) if left <= io.read.len() => {
            let whole = io.read.split_to(left).freeze();
            io.release();
            Body::whole(whole)
        }
        _ => {
            let request = io.begin_body(length, is_continue_expected);
            drop(io);
            Body::streamed(place.share(), request, left)
        }
    }
}

/// Whether what will not be read of the request's body is too much to wait for it, or may never come.
fn is_rest_in_the_way<T>(place: &mut Place<T>) -> bool {
    let mut io = place.io();
    let may_never_come = io.forget_continue();
    may_never_come || io.unwanted().is_some_and(|rest| rest > DISCARDED)
}

/// Whether the client has gone away. While a body is being read its reader sees that.
fn is_gone<T: AsyncRead + Unpin>(place: &mut Place<T>, cx: &mut Context<'_>) -> bool {
    let mut io = place.io();
    while io.is_body_ended() && io.read.len() < AHEAD {
        match io.poll_fill(cx) {
            Poll::Ready(Ok(1..)) => {}
            Poll::Ready(_) => return true,
            Poll::Pending => return false,
        }
    }
    false
}

fn poll_flush<T>(place: &mut Place<T>, out: &mut Output, cx: &mut Context<'_>) -> Poll<io::Result<()>>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut io = place.io();
    ready!(io.poll_interim(cx))?;
    out.poll_flush(io.stream()?, cx)
}

/// Writes what a body gave, and its end if that is known to come next.
fn put_frame<E: Into<BoxError>>(
    encoder: &mut Encoder,
    frame: Option<Result<Frame<Bytes>, E>>,
    is_end: impl FnOnce() -> bool,
    out: &mut Output,
) -> Result<(), BoxError> {
    match frame {
        Some(Ok(frame)) => {
            encoder.put(frame, out)?;
            if !encoder.is_ended() && is_end() {
                encoder.end(out)?
            }
            Ok(())
        }
        Some(Err(error)) => Err(error.into()),
        None => Ok(encoder.end(out)?),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};

    use http_body_util::Full;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Empty;

    impl Service for Empty {
        type Body = Full<Bytes>;
        type Future = Ready<Response<Full<Bytes>>>;

        fn call(&mut self, _: Result<Request<Body>, Malformed>) -> Self::Future {
            ready(Response::new(Full::new(Bytes::from_static(b"hello"))))
        }
    }

    /// How much is held for reading and for writing.
    fn held(connection: Pin<&mut Connection<tokio::io::DuplexStream, Empty>>) -> (usize, usize) {
        let this = connection.project();
        let held = std::mem::take(&mut this.io.io().read).capacity();
        (held, this.out.capacity())
    }

    #[tokio::test]
    async fn an_idle_connection_holds_no_buffer() {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let mut connection = Box::pin(Connection::new(server, Empty, Config::default()));
        // A request takes three polls: it is read, answered and sent.
        let mut poll = async || {
            std::future::poll_fn(|cx| Poll::Ready((0..3).any(|_| connection.as_mut().poll(cx).is_ready()))).await
        };
        for request in [
            "GET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
            "\r\n",
            "GET / HTTP/1.1\r\n\r\n",
        ] {
            client.write_all(request.as_bytes()).await.unwrap();
            assert!(!poll().await);
        }
        let count = client.read(&mut [0; 4096]).await.unwrap();
        assert!(count > 200, "three answers");
        assert_eq!(held(connection.as_mut()), (0, 0));
    }
}
