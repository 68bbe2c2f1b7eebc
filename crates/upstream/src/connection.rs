//! One HTTP/1.1 connection to an upstream: the only module that knows which HTTP client drives it.

use std::time::Instant;

use http::{HeaderName, HeaderValue, Method, header};
use towergate_http1::{
    Spelling,
    client::{self, Buffers, ErrorKind, Length, Lines, Timeouts},
};

use crate::{
    error::{Error, Kind},
    forward::{Own, Sink},
    request_body::Feed,
    transport::Transport,
    websocket::WEBSOCKET,
};

/// The body of a response as it is received.
pub(crate) type Received = client::Body<Transport, Feed>;

/// A connection to an upstream; closed when dropped, whatever is under way on it.
#[derive(Debug)]
pub(crate) struct Connection(client::Connection<Transport>);

/// A request that is being written.
pub(crate) struct Outgoing<'a> {
    request: client::Request<Transport>,
    spelling: Option<&'a Spelling>,
}

impl Connection {
    /// On a transport that was just made.
    pub(crate) fn new(transport: Transport) -> Self {
        Self(client::Connection::new(transport))
    }

    /// A connection on which a response was read to its end.
    pub(crate) fn reclaimed(connection: client::Connection<Transport>) -> Self {
        Self(connection)
    }

    /// Whether nothing has happened on it while it was idle.
    pub(crate) fn is_open(&mut self) -> bool {
        self.0.stream().is_quiet().unwrap_or_else(|| self.0.is_open())
    }

    /// How many requests were sent on it.
    pub(crate) fn served(&self) -> u64 {
        self.0.served()
    }

    /// Takes its memory from an idle connection.
    pub(crate) fn take_buffers(&mut self) -> Buffers {
        self.0.take_buffers()
    }

    /// Gives it memory to work with.
    pub(crate) fn give_buffers(&mut self, buffers: Buffers) {
        self.0.give_buffers(buffers);
    }

    /// Begins a request to this host, perhaps with the wish to go on with a WebSocket. Names of headers go out as `spelling` has them, others (like
    /// our own `X-Forwarded-For`) as usual.
    pub(crate) fn request<'a>(
        self,
        method: &Method,
        target: &[&str],
        host: &HeaderValue,
        wishes: bool,
        spelling: Option<&'a Spelling>,
    ) -> Outgoing<'a> {
        let mut request = self.0.request(method, target);
        request.header(&header::HOST, host);
        if wishes {
            request.header(&header::CONNECTION, &HeaderValue::from_static("keep-alive, Upgrade"));
            request.header(&header::UPGRADE, &WEBSOCKET);
        } else {
            request.keep_alive();
        }
        Outgoing { request, spelling }
    }
}

impl Outgoing<'_> {
    /// Sends the request, now if that is known: the future of its response, whose map has `room` for so many lines more.
    pub(crate) fn send(
        self,
        length: Length,
        body: Feed,
        timeouts: Timeouts,
        now: Option<Instant>,
        room: usize,
    ) -> client::Exchange<Transport, Feed> {
        let request = self.request.room(room);
        let request = match now {
            Some(now) => request.begun(now.into()),
            None => request,
        };
        request.send(length, body, timeouts)
    }
}

impl Outgoing<'_> {
    /// A header that a plugin has set.
    pub(crate) fn set(&mut self, name: &HeaderName, value: &[u8]) {
        self.request.header_text(name, value);
    }
}

impl Sink for Outgoing<'_> {
    fn copy(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.request.header_spelled(name, value, self.spelling);
    }

    fn put(&mut self, name: &Own, parts: &[&[u8]]) {
        self.request.header_of(name.written, parts);
    }

    fn put_written(&mut self, lines: &Lines) -> bool {
        self.request.lines(lines);
        true
    }
}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        let (unsent, unheard) = (error.is_unsent(), !error.is_heard());
        let kind = match error.kind() {
            ErrorKind::ReadTimeout(limit) => Kind::ReadTimeout(limit),
            ErrorKind::WriteTimeout(limit) => Kind::WriteTimeout(limit),
            ErrorKind::BadResponse | ErrorKind::NoAnswer => Kind::BadResponse,
            ErrorKind::RequestBody => {
                let cause = error.into_source().map(|cause| cause.to_string());
                return Self::new(Kind::ClientBody(cause.unwrap_or_default()));
            }
            _ => Kind::Closed,
        };
        let no_answer = error.kind() == ErrorKind::NoAnswer;
        let mut told = Self::new(kind).told(unsent, unheard);
        if no_answer {
            told = told.because("interim responses without end");
        } else if let Some(cause) = error.into_source() {
            told = match cause.downcast::<std::io::Error>() {
                Ok(cause) => told.because(towergate_tls::explain(&cause)),
                Err(cause) => told.because(cause),
            };
        }
        told
    }
}
