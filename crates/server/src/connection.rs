//! One connection: what it knows of its client, and what becomes of each of its requests.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::{Request, Version, request::Parts, response};
use http_body::Body as HttpBody;
use towergate_core::{Asking, Body, Client, Context, Matched, Timing};
use towergate_http1::server::{self as http1, Malformed};

use crate::{
    activity::Activity,
    answer::{Answer, Facts, ResponseBody, Serving},
    extended_connect, hop,
    origin::Origin,
    real_ip,
    request_body::{Note, RequestBody},
    request_check::{self, LastHost, Refusal},
    routing::{self, Found},
    stats::Counters,
    worker::{Stack, Worker},
};

/// The service of one connection.
pub(crate) struct Connection<S> {
    worker: Arc<Worker>,
    stack: S,
    activity: Arc<Activity>,
    origin: Origin,
    is_trusted: bool,
    last_host: LastHost,
}

impl<S> Connection<S> {
    /// A connection from there.
    pub(crate) fn new(worker: Arc<Worker>, stack: S, activity: Arc<Activity>, origin: Origin) -> Self {
        let is_trusted = worker.trusted.contains(origin.peer.ip());
        Self { worker, stack, activity, origin, is_trusted, last_host: LastHost::default() }
    }

    /// The client of a request, which a trusted peer may tell us about.
    fn client(&self, head: &Parts, connection_requests: u64) -> Client {
        let told = || real_ip::told(&head.headers, &self.origin, &self.worker.config.real_ip, &self.worker.trusted);
        let told = if self.is_trusted { told() } else { None };
        let (address, port) = told.unwrap_or((self.origin.peer.ip(), Some(self.origin.peer.port())));
        Client {
            peer: Some(self.origin.peer),
            local: self.origin.shown,
            address: Some(address),
            port,
            trusted: self.is_trusted,
            scheme: self.origin.scheme,
            server_name: self.origin.server_name.clone(),
            session: self.origin.session,
            certificate: self.origin.certificate.clone(),
            connection: self.origin.number,
            connection_requests,
        }
    }

    /// Finds out what is to be done with a request, and whether it must be the connection's last.
    /// What came instead of a request is refused, and otherwise treated like one.
    fn admit(
        &self,
        head: &mut Parts,
        fault: Option<Refusal>,
        number: u64,
        last_host: &mut LastHost,
    ) -> (Arc<Context>, bool) {
        let timing = Timing::start();
        let client = self.client(head, number);
        let limits = &self.worker.config.limits;
        let fault = fault.or(self.origin.lacks_tls.then_some(Refusal::Cleartext));
        let checked = fault.map_or_else(|| request_check::check(head, limits, last_host), Err);
        let ends = checked.as_ref().is_err_and(|refusal| refusal.ends_connection());
        let found = self.worker.table.with(|table| match &checked {
            Ok(asked) => routing::find(table, head, &client, self.origin.local, asked),
            Err(refusal) => Found::refused(table, refusal.reply()),
        });
        if found.plan.plugins.records_spans {
            timing.mark_routed(Instant::now());
        }
        let may_list = checked.as_ref().map_or(true, |asked| asked.has_connection);
        // Made in one place, because moving a context costs more than making one.
        let (asking, path, host) = match checked {
            Ok(asked) => (asked.asking, asked.path, asked.host),
            Err(_) => (Asking::of(head), String::new(), String::new()),
        };
        let mut cx = Context::asked(asking, client, head, timing, Some(found.plan));
        cx.matched = Matched { path, ..found.matched };
        cx.host = host;
        cx.put_under(found.generation);
        // A connection of HTTP/1 writes what guards set straight into the head.
        if head.version < Version::HTTP_2 {
            cx.defer_response_headers();
        }
        if let Some(refusal) = found.refusal {
            cx.refuse(refusal);
        }
        if may_list {
            hop::strip_listed(&mut head.headers);
        }
        let cx = Arc::new(cx);
        head.extensions.insert(cx.clone());
        (cx, self.is_last(head.version, number, ends))
    }

    /// Whether the response must say that it is the connection's last. HTTP/2 has a frame for that,
    /// and a request that made no sense there says nothing about the next one.
    fn is_last(&self, version: Version, number: u64, ends: bool) -> bool {
        let is_last = number >= self.worker.config.limits.keep_alive_requests;
        if version != Version::HTTP_2 {
            return ends || is_last;
        }
        if is_last {
            self.activity.retire();
        }
        false
    }

    /// The body as the stack is to read it, and where it tells what goes wrong with it.
    fn body<B>(&self, incoming: B) -> (Body, Option<Note>)
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    {
        if incoming.is_end_stream() {
            return (Body::Empty, None);
        }
        let note = Note::default();
        let config = &self.worker.config;
        let body = RequestBody::new(incoming, config.limits.body, config.timeouts.body, note.clone());
        (Body::Boxed(Box::pin(body)), Some(note))
    }
}

impl<S: Stack> Connection<S> {
    /// What the stack is to be given, or what is refused before it, and what finishes its response on the way back.
    fn prepare(
        &self,
        mut head: Parts,
        (body, note): (Body, Option<Note>),
        fault: Option<Refusal>,
        last_host: &mut LastHost,
    ) -> (Request<Body>, Facts) {
        let number = self.activity.begin();
        let serving = Serving::new(self.activity.clone());
        Counters::count(&self.worker.counters.requests);
        let handshake = extended_connect::take(&mut head);
        let (cx, is_last) = self.admit(&mut head, fault, number, last_host);
        if let Some(note) = &note {
            cx.traffic.receive_by(note.received.clone());
        }
        let facts = Facts {
            worker: self.worker.clone(),
            cx,
            method: head.method.clone(),
            version: head.version,
            is_debug: self.worker.stamp.is_debug_asked(&head.headers),
            is_last,
            note,
            handshake,
            serving,
        };
        (Request::from_parts(head, body), facts)
    }

    /// Gives a request of HTTP/2 to the stack.
    pub(crate) fn answer_http2<B>(&self, request: Request<B>) -> Answer<S, S::Future>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    {
        let (head, incoming) = request.into_parts();
        let body = self.body(incoming);
        let (request, facts) = self.prepare(head, body, None, &mut LastHost::default());
        Answer::new(&mut self.stack.clone(), request, facts)
    }
}

impl<S: Stack> http1::Service for Connection<S> {
    type Body = ResponseBody<S::Body>;
    type Future = Answer<S, S::Future>;

    fn call(&mut self, request: Result<Request<http1::Body>, Malformed>) -> Self::Future {
        let mut last_host = std::mem::take(&mut self.last_host);
        let (request, facts) = match request {
            Ok(request) => {
                let (head, body) = request.into_parts();
                // Nothing can go wrong any more with a body that is there.
                let body = body.into_whole().map_or_else(|body| self.body(body), |whole| (whole.into(), None));
                self.prepare(head, body, None, &mut last_host)
            }
            Err(malformed) => {
                let fault = malformed.fault().into();
                self.prepare(malformed.into_head(), (Body::Empty, None), Some(fault), &mut last_host)
            }
        };
        self.last_host = last_host;
        Answer::new(&mut self.stack, request, facts)
    }

    fn own_lines<'a>(&'a self, head: &'a response::Parts, body: &'a Self::Body) -> impl http1::OwnLines + 'a {
        body.own_lines(head, &self.worker.stamp)
    }
}
