//! One request and its attempts.

use std::time::Instant;

use http::{HeaderValue, Response, Version, request::Parts};
use http_body::Body as _;
use towergate_core::{Body, Context, Service};
use towergate_http1::{Spelling, client::Timeouts};

use crate::{
    answer,
    connection::{Connection, Received},
    destination::{Destination, Peer, Tried},
    error::{Error, Kind},
    forward, hop,
    pool::Berth,
    proxy::Worker,
    request_body::RequestBody,
    tries::{Tries, Try, TryState},
};

/// A request on its way upstream, ready to be sent more than once.
pub(crate) struct Exchange<'a> {
    worker: &'a Worker,
    cx: &'a Context,
    service: &'a Service,
    head: Parts,
    body: &'a RequestBody,
    /// The client's `Host`, where that and not each target's is to be sent.
    host: Option<HeaderValue>,
    /// Whether the client takes trailers.
    trailers: bool,
}

/// A response whose body is still to be read, and where its connection goes then.
type Answered = (Response<Received>, Berth);

impl<'a> Exchange<'a> {
    pub(crate) fn new(
        worker: &'a Worker,
        cx: &'a Context,
        service: &'a Service,
        head: Parts,
        body: &'a RequestBody,
    ) -> Self {
        let preserves = cx.route().is_some_and(|route| route.preserve_host);
        let host = if preserves { forward::client_host(&head) } else { None };
        let trailers = hop::wants_trailers(&head.headers);
        Self { worker, cx, service, head, body, host, trailers }
    }

    /// Tries until an upstream answers or nothing more may be tried.
    pub(crate) async fn run(self, destination: &Destination) -> Result<Response<Body>, Error> {
        let mut tries = Tries::default();
        let result = self.attempts(destination, &mut tries).await;
        self.cx.record_upstream(tries);
        let (response, berth) = result?;
        let now = Instant::now();
        self.cx.timing.mark_answered(now);
        self.cx.mark_proxied();
        Ok(self.pass_on(response, berth, now).await)
    }

    async fn attempts(&self, destination: &Destination, tries: &mut Tries) -> Result<Answered, Error> {
        let target = forward::target(self.cx, &self.head).ok_or(Error::new(Kind::BadRequest))?;
        let mut tried = Tried::default();
        let mut left = self.service.retries;
        loop {
            let started = Instant::now();
            let peer = destination.pick(&self.worker.resolver, &mut tried).await?;
            let sent = if peer.was_asked_for { Instant::now() } else { started };
            self.cx.timing.mark_sent(sent);
            let result = self.attempt(&peer, &target, sent).await;
            tries.push(self.note(&peer, started, sent, &result));
            match result {
                Err(error) if left > 0 && self.may_repeat(&error) => {
                    tracing::debug!(upstream = %peer.address, cause = %error, "Trying again");
                    left -= 1;
                    tried.failed(peer.address);
                }
                result => return result,
            }
        }
    }

    /// What became of an attempt.
    fn note(&self, peer: &Peer<'_>, started: Instant, sent: Instant, result: &Result<Answered, Error>) -> Try {
        let (state, code) = match result {
            Ok((response, _)) => (TryState::Answered, response.status()),
            Err(error) => (TryState::Failed, error.status()),
        };
        let timing = &self.cx.timing;
        let before = started.saturating_duration_since(timing.started());
        Try {
            ip: peer.address.ip(),
            port: peer.address.port(),
            started_at: timing.started_at().checked_add(before).unwrap_or(timing.started_at()),
            balancer_latency: sent.saturating_duration_since(started),
            state,
            code: code.as_u16(),
        }
    }

    fn may_repeat(&self, error: &Error) -> bool {
        error.is_retryable(&self.head.method) && self.body.can_replay()
    }

    /// One attempt, on a kept connection if there is one. That the upstream has closed such a
    /// connection in the meantime says nothing about the upstream: then a new one is made.
    async fn attempt(&self, peer: &Peer<'_>, target: &[&str], now: Instant) -> Result<Answered, Error> {
        let pool = &self.worker.pool;
        let berth = Berth { key: peer.key(), pool: pool.clone() };
        if let Some(connection) = pool.take(&berth.key, now.into()) {
            match self.send(peer, target, connection).await {
                Err(error) if error.is_unheard_close() && self.may_repeat(&error) => {
                    tracing::debug!(upstream = %peer.address, cause = %error, "Kept connection was closed");
                }
                result => return result.map(|response| (response, berth)),
            }
        }
        let mut connection = Connection::open(&berth.key, self.service.connect_timeout).await?;
        connection.give_buffers(pool.buffers());
        self.send(peer, target, connection).await.map(|response| (response, berth))
    }

    async fn send(
        &self,
        peer: &Peer<'_>,
        target: &[&str],
        connection: Connection,
    ) -> Result<Response<Received>, Error> {
        let spelling = self.head.extensions.get::<Spelling>();
        let host = self.host.as_ref().unwrap_or(peer.host);
        let mut request = connection.request(&self.head.method, target, host, spelling);
        let forwarding = &self.worker.forwarding;
        let said = forwarding.pass(&self.head, self.trailers, &mut request);
        forwarding.add(self.cx, &self.head, &said, &mut request);
        let length = forward::announced(&self.head.method, self.body.length(), said.framed);
        let timeouts = Timeouts { read: self.service.read_timeout, write: self.service.write_timeout };
        let response = request.send(length, self.body.feed(), timeouts).await?;
        // Nobody asked for another protocol, nor for codings of the transfer.
        let (headers, received) = (response.headers(), response.body());
        if received.is_upgrade() || (received.is_end_stream() && hop::is_coded(headers)) {
            return Err(Error::new(Kind::BadResponse));
        }
        Ok(response)
    }

    /// The upstream's response as the client gets it.
    async fn pass_on(&self, response: Response<Received>, berth: Berth, now: Instant) -> Response<Body> {
        let (mut head, received) = response.into_parts();
        let framed = received.size_hint().exact();
        hop::strip_response(&mut head.headers, &self.head.method, head.status, framed, self.trailers);
        head.version = Version::HTTP_11;
        let body = answer::body(received, berth, now.into()).await;
        Response::from_parts(head, body)
    }
}
