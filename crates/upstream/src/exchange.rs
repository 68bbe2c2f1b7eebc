//! One request and its attempts.

use std::time::{Instant, SystemTime};

use http::{Extensions, HeaderMap, Method, Request, Response, StatusCode, Uri, Version, header, request::Parts};
use http_body::Body as _;
use towergate_core::{Body, Context, Service};

use crate::{
    answer,
    connection::{Connection, Received},
    destination::{Destination, Peer, Tried},
    error::{Error, Kind},
    forward, hop,
    pool::Lease,
    proxy::Worker,
    request_body::{Feed, RequestBody},
    transport::Key,
    tries::{Tries, Try, TryState},
};

/// A request on its way upstream, ready to be sent more than once.
pub(crate) struct Exchange<'a> {
    worker: &'a Worker,
    cx: &'a Context,
    service: &'a Service,
    body: &'a RequestBody,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    /// Whether `Host` is the client's, not that of each attempt's target.
    host_preserved: bool,
    /// Whether the client takes trailers.
    trailers: bool,
    /// What came with the request, how the client wrote the names of its headers among it: goes
    /// with the first attempt.
    extensions: Extensions,
    tries: Tries,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(
        worker: &'a Worker,
        cx: &'a Context,
        service: &'a Service,
        head: Parts,
        body: &'a RequestBody,
    ) -> Result<Self, Error> {
        let headers = worker.forwarding.headers(cx, &head, body.length());
        Ok(Self {
            worker,
            cx,
            service,
            body,
            uri: forward::target(cx, &head).ok_or(Error::new(Kind::BadRequest))?,
            host_preserved: headers.get(header::HOST).is_some_and(|host| !host.is_empty()),
            trailers: hop::wants_trailers(&head.headers),
            headers,
            method: head.method,
            extensions: head.extensions,
            tries: Tries::default(),
        })
    }

    /// Tries until an upstream answers or nothing more may be tried.
    pub(crate) async fn run(mut self, destination: &Destination) -> Result<Response<Body>, Error> {
        let result = self.attempts(destination).await;
        self.cx.record_upstream(std::mem::take(&mut self.tries));
        let (response, lease) = result?;
        self.cx.timing.mark_answered(Instant::now());
        self.cx.mark_proxied();
        Ok(self.pass_on(response, lease).await)
    }

    async fn attempts(&mut self, destination: &Destination) -> Result<(Response<Received>, Lease), Error> {
        let mut tried = Tried::default();
        let mut left = self.service.retries;
        loop {
            let (started, started_at) = (Instant::now(), SystemTime::now());
            let peer = destination.pick(&self.worker.resolver, &mut tried).await?;
            self.cx.timing.mark_sent(Instant::now());
            let (address, balancer_latency) = (peer.address, started.elapsed());
            let result = self.attempt(peer).await;
            let (state, code) = match &result {
                Ok((response, _)) => (TryState::Answered, response.status()),
                Err(error) => (TryState::Failed, error.status()),
            };
            let (ip, port, code) = (address.ip(), address.port(), code.as_u16());
            self.tries.push(Try { ip, port, started_at, balancer_latency, state, code });
            match result {
                Err(error) if left > 0 && self.may_repeat(&error) => {
                    tracing::debug!(upstream = %address, cause = %error, "Trying again");
                    left -= 1;
                    tried.failed(address);
                }
                result => return result,
            }
        }
    }

    fn may_repeat(&self, error: &Error) -> bool {
        error.is_retryable(&self.method) && self.body.can_replay()
    }

    /// One attempt, on a kept connection if there is one. That the upstream has closed such a
    /// connection in the meantime says nothing about the upstream: then a new one is made.
    async fn attempt(&mut self, peer: Peer<'_>) -> Result<(Response<Received>, Lease), Error> {
        let key = peer.key();
        if let Some(connection) = self.worker.pool.take(&key).await {
            let lease = self.lease(&key, connection);
            let activity = lease.connection.activity().clone();
            match self.send(&peer, lease).await {
                Err(error) if error.is_closed() && !activity.is_heard() && self.may_repeat(&error) => {
                    tracing::debug!(upstream = %peer.address, cause = %error, "Kept connection was closed");
                }
                result => return result,
            }
        }
        let connection = Connection::open(&key, self.service.connect_timeout).await?;
        let lease = self.lease(&key, connection);
        self.send(&peer, lease).await
    }

    fn lease(&self, key: &Key, connection: Connection) -> Lease {
        Lease { connection, key: key.clone(), pool: self.worker.pool.clone() }
    }

    async fn send(&mut self, peer: &Peer<'_>, mut lease: Lease) -> Result<(Response<Received>, Lease), Error> {
        let activity = lease.connection.activity();
        activity.begin(self.service.write_timeout);
        let request = self.request(peer, self.body.feed(activity));
        let response = match lease.connection.send(request, self.service.read_timeout).await {
            Ok(response) => response,
            // A broken body of the client also ends the connection, which is then not the cause.
            Err(error) => return Err(self.body.failure().unwrap_or(error)),
        };
        // Nobody asked for another protocol, nor for codings of the transfer.
        if response.status() == StatusCode::SWITCHING_PROTOCOLS || hop::is_coded(response.headers()) {
            return Err(Error::new(Kind::BadResponse));
        }
        Ok((response, lease))
    }

    fn request(&mut self, peer: &Peer<'_>, body: Feed) -> Request<Feed> {
        if !self.host_preserved {
            self.headers.insert(header::HOST, peer.host.clone());
        }
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = self.headers.clone();
        *request.extensions_mut() = std::mem::take(&mut self.extensions);
        request
    }

    /// The upstream's response as the client gets it.
    async fn pass_on(&self, response: Response<Received>, lease: Lease) -> Response<Body> {
        let (mut head, incoming) = response.into_parts();
        let reusable = !hop::closes(&head.headers);
        let framed = incoming.size_hint().exact();
        hop::strip_response(&mut head.headers, &self.method, head.status, framed, self.trailers);
        head.version = Version::HTTP_11;
        let body = answer::body(incoming, lease, self.service.read_timeout, reusable).await;
        Response::from_parts(head, body)
    }
}
