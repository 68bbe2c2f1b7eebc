//! One request and its attempts.

use std::{future::Future, sync::Arc, time::Instant};

use http::{HeaderValue, Request, Response, StatusCode, Version, header, request::Parts, response, uri::Scheme};
use http_body::Body as _;
use towergate_core::{Body, Context, Service, SetHeaders, Tries, Try, TryState};
use towergate_http1::{
    Spelling, Upgrade,
    client::{self, Length, Timeouts},
};

use crate::{
    answer::{self, Arrived},
    chosen::{Affinity, Tried},
    connection::{Connection, Received},
    counted::{self, Held},
    destination::{Destination, Peer},
    error::{Error, Kind},
    forward::{self, Wishes},
    hash_key::{self, HashKey},
    hop, http2,
    pool::{Berth, Pool},
    proxy::Worker,
    request_body::{Feed, RequestBody},
    retry,
    transport::{Key, Transport},
    tunnel::{self, Patience},
    websocket,
};

/// A request on its way upstream, ready to be sent more than once.
pub(crate) struct Exchange<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) cx: &'a Context,
    pub(crate) service: &'a Service,
    pub(crate) head: &'a Parts,
    /// Headers that plugins have set and that are not in the head: none of those that are looked at here.
    set: SetHeaders,
    pub(crate) body: &'a RequestBody,
    /// The client's `Host`, where that and not each target's is to be sent. Boxed, because few routes ask for it.
    host: Option<Box<HeaderValue>>,
    wishes: Wishes,
    /// The client's wish to go on with a WebSocket.
    pub(crate) wish: Option<Upgrade>,
}

/// A response whose body is still to be read.
pub(crate) enum Answered {
    /// And what its connection was made to.
    Http1(Response<Arrived>, Key),
    Http2(Box<Response<http2::Answer>>),
}

impl Answered {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Http1(response, _) => response.status(),
            Self::Http2(response) => response.status(),
        }
    }

    /// Gives an answer up; if all of it has come, its connection is free again, for this pool.
    pub(crate) async fn discard(self, pool: &Arc<Pool>) {
        if let Self::Http1(response, key) = self {
            match response.into_body() {
                Arrived::Whole(_, Some(connection)) => pool.keep(key, connection, Instant::now().into()),
                Arrived::Whole(_, None) => {}
                Arrived::Rest(received) => drop(answer::body(received, Berth { key, pool: pool.clone() }).await),
            }
        }
    }
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(
        worker: &'a Worker,
        cx: &'a Context,
        service: &'a Service,
        head: &'a Parts,
        set: SetHeaders,
        wishes: Wishes,
        body: &'a RequestBody,
    ) -> Self {
        let preserves = cx.route().is_some_and(|route| route.preserve_host);
        let host = if preserves { forward::client_host(head).map(Box::new) } else { None };
        Self { worker, cx, service, head, set, body, host, wishes, wish: None }
    }

    /// Tries until an upstream answers or nothing more may be tried.
    #[allow(clippy::manual_async_fn, reason = "an async fn has room for its arguments twice")]
    pub(crate) fn run(&mut self, destination: &Destination) -> impl Future<Output = Result<Response<Body>, Error>> {
        async move {
            let permit = destination.admit().await?;
            let mut tries = self.cx.records.is_asked().then(Box::<Tries>::default);
            // Boxed: most upstreams have none, and make no room for it.
            let key = destination.hashing().map(|balancing| Box::new(HashKey::of(balancing, self.cx, self.head)));
            let token = destination.sticky().and_then(|cookie| hash_key::brought(&self.head.headers, &cookie.name));
            let affinity = Affinity {
                hash: key.as_ref().map_or(0, |key| key.hash),
                token: token.and_then(|token| std::str::from_utf8(token).ok()),
            };
            let result = match self.cx.retries() {
                None => self.attempts(destination, &mut tries, Tried::new(self.cx, affinity)).await,
                // Boxed: a request without such rules does not make room for them.
                Some(rules) => Box::pin(retry::attempts(self, destination, rules, &mut tries, affinity)).await,
            };
            if let Some(tries) = tries {
                self.cx.records.keep_tries(*tries);
            }
            let (answered, kept) = result?;
            let held = Held { flight: kept.flight, permit };
            let now = Instant::now();
            self.cx.timing.mark_answered(now);
            self.cx.mark_proxied();
            let mut response = match answered {
                Answered::Http1(response, key) => {
                    let (mut head, arrived) = response.into_parts();
                    head.version = Version::HTTP_11;
                    match arrived {
                        // What is at hand already is passed on as it is, and its connection is free again.
                        Arrived::Whole(bytes, connection) => {
                            if let Some(connection) = connection {
                                self.worker.pool.keep(key, connection, now.into());
                            }
                            Response::from_parts(head, Body::from(bytes))
                        }
                        // Boxed: most responses make no room for it.
                        Arrived::Rest(received) => {
                            let berth = Berth { key, pool: self.worker.pool.clone() };
                            Box::pin(self.pass_on(head, received, berth, held)).await
                        }
                    }
                }
                Answered::Http2(response) => counted::response(self.pass_on_http2(*response), held),
            };
            let session = destination
                .sticky()
                .zip(kept.token)
                .and_then(|(cookie, token)| hash_key::session_cookie(cookie, &token));
            if let Some(cookie) = key.and_then(|key| key.cookie).or(session) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
    }

    /// What became of an attempt.
    pub(crate) fn note(
        &self,
        peer: &Peer<'_>,
        started: Instant,
        sent: Instant,
        result: &Result<Answered, Error>,
    ) -> Try {
        let (state, code) = match result {
            Ok(answered) => (TryState::Answered, answered.status()),
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

    /// Whether a request that failed so may be sent again by Kong's rule.
    pub(crate) fn may_repeat(&self, error: &Error) -> bool {
        error.is_retryable(&self.head.method) && self.body.can_replay()
    }

    /// One attempt, on a kept connection if there is one. That the upstream has closed such a
    /// connection in the meantime says nothing about the upstream: then a new one is made.
    #[allow(clippy::manual_async_fn, reason = "an async fn has room for its arguments twice")]
    pub(crate) fn attempt(
        &self,
        destination: &Destination,
        peer: &Peer<'_>,
        target: &[&str; 3],
        now: &Instant,
    ) -> impl Future<Output = Result<Answered, Error>> {
        async move {
            if destination.is_http2() {
                // Boxed, so that it takes no room in the future of the many others.
                return Box::pin(self.attempt_http2(peer, target)).await;
            }
            let (pool, key) = (&self.worker.pool, peer.key(self.host.as_deref()));
            if let Some(connection) = pool.take(&key, (*now).into()) {
                let received = self.send(peer, target, connection, Some(*now)).await;
                let error = match received {
                    Ok(response) => return self.arrived(response, key),
                    Err(error) => Error::from(error),
                };
                if !(error.is_unheard_close() && self.may_repeat(&error)) {
                    return Err(error);
                }
                tracing::debug!(upstream = %peer.address, cause = %error, "Kept connection was closed");
                pool.was_stale();
            }
            // Boxed, because it is rare and large.
            let connection = Box::pin(pool.open(&key, self.service.connect_timeout)).await?;
            let received = self.send(peer, target, connection, None).await;
            self.arrived(received?, key)
        }
    }

    /// One attempt over HTTP/2. A stream that the upstream did nothing about, because it was going
    /// to close the connection or had too many others, is begun once more on another connection or
    /// on the same one: that is no failed attempt.
    async fn attempt_http2(&self, peer: &Peer<'_>, target: &[&str]) -> Result<Answered, Error> {
        let (key, patience) = (peer.key(self.host.as_deref()), http2::Patience::from(self.service));
        let head = self.http2_head(peer, target)?;
        let once = async |head| {
            let claim = self.worker.http2.claim(&key, patience).await?;
            http2::send(claim, head, self.body.feed_whole(), patience).await
        };
        let result = match once(head.clone()).await {
            Err(error) if error.is_unsent() && self.body.can_replay() => {
                tracing::debug!(upstream = %peer.address, cause = %error, "Stream not taken");
                once(head).await
            }
            result => result,
        };
        result.map(|response| Answered::Http2(Box::new(response)))
    }

    fn http2_head(&self, peer: &Peer<'_>, target: &[&str]) -> Result<Request<()>, Error> {
        let host = self.host.as_deref().unwrap_or_else(|| peer.host());
        let scheme = if self.service.protocol.is_tls() { Scheme::HTTPS } else { Scheme::HTTP };
        let mut request = http2::head(&self.head.method, target, host, scheme)?;
        let headers = request.headers_mut();
        headers.reserve(self.head.headers.len().saturating_add(12));
        let forwarding = &self.worker.forwarding;
        let said = forwarding.pass(self.head, &self.set, self.wishes, headers);
        forwarding.add(self.cx, self.head, &said, headers);
        if let Length::Known(bytes) = forward::announced(&self.head.method, self.body.length(), said.framed) {
            headers.insert(header::CONTENT_LENGTH, bytes.into());
        }
        Ok(request)
    }

    /// Sends the request, now if that is known: the future of its response's head.
    fn send(
        &self,
        peer: &Peer<'_>,
        target: &[&str],
        connection: Connection,
        now: Option<Instant>,
    ) -> client::Exchange<Transport, Feed> {
        let spelling = self.head.extensions.get::<Spelling>();
        let host = self.host.as_deref().unwrap_or_else(|| peer.host());
        let mut request = connection.request(&self.head.method, target, host, self.wish.is_some(), spelling);
        let forwarding = &self.worker.forwarding;
        let said = forwarding.pass(self.head, &self.set, self.wishes, &mut request);
        for (name, value) in self.set.lines() {
            value.show(self.cx, |value| request.set(name, value));
        }
        forwarding.add(self.cx, self.head, &said, &mut request);
        let length = forward::announced(&self.head.method, self.body.length(), said.framed);
        let timeouts = Timeouts { read: self.service.read_timeout, write: self.service.write_timeout };
        request.send(length, self.body.feed(), timeouts, now, room(self.cx))
    }

    /// The response whose head was received, and what came with it.
    fn arrived(&self, mut response: Response<Received>, key: Key) -> Result<Answered, Error> {
        // Most responses bring nothing that is to be looked at.
        if !response.body().is_plain() {
            self.check(&mut response)?;
        }
        Ok(Answered::Http1(response.map(Arrived::from), key))
    }

    /// Checks that this answers what was asked, no other protocol and no coding of the transfer, and takes out of it what
    /// concerns only the upstream's connection.
    fn check(&self, response: &mut Response<Received>) -> Result<(), Error> {
        let (status, received) = (response.status(), response.body());
        let (is_upgrade, is_over, length) =
            (received.is_upgrade(), received.is_end_stream(), received.size_hint().exact());
        let headers = response.headers_mut();
        let is_answer = match is_upgrade {
            true => self.wish.is_some() && websocket::is_granted(status, headers),
            false => !(is_over && hop::is_coded(headers)),
        };
        if is_answer && !is_upgrade {
            hop::strip_response(headers, &self.head.method, status, length, self.wishes.trailers);
        }
        if is_answer { Ok(()) } else { Err(Error::new(Kind::BadResponse)) }
    }

    /// A response of the upstream of which not everything is at hand, as the client gets it.
    async fn pass_on(
        &mut self,
        mut head: response::Parts,
        received: Box<Received>,
        berth: Berth,
        held: Held,
    ) -> Response<Body> {
        let received = match (answer::upgraded(received), self.wish.take()) {
            (Ok(upgraded), Some(wish)) => {
                websocket::pass_on(&mut head.headers, self.wishes.trailers);
                let patience = Patience { idle: self.service.read_timeout, write: self.service.write_timeout };
                let (id, tunnelled) = (self.cx.request_id, self.cx.traffic.tunnel());
                tunnel::open(wish, upgraded, patience, id, tunnelled, held);
                return Response::from_parts(head, Body::Empty);
            }
            // Without a wish it is no answer, see above.
            (Ok(_), None) => return Response::from_parts(head, Body::Empty),
            (Err(received), _) => received,
        };
        let body = answer::body(received, berth).await;
        counted::response(Response::from_parts(head, body), held)
    }

    /// The same over HTTP/2, where the length is what the protocol has checked.
    fn pass_on_http2(&self, response: Response<http2::Answer>) -> Response<Body> {
        let (mut head, answer) = response.into_parts();
        let announced = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        hop::strip_response(&mut head.headers, &self.head.method, head.status, announced, self.wishes.trailers);
        let body = if answer.is_end_stream() { Body::Empty } else { Body::Boxed(Box::pin(answer)) };
        Response::from_parts(head, body)
    }
}

/// How many lines the gateway may add to a response: its own, and of each guard a few.
fn room(cx: &Context) -> usize {
    cx.response_headers_to_come().saturating_add(5)
}
