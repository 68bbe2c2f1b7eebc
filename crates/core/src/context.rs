//! What the gateway knows about one request.

use std::{
    any::Any,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};

use crate::{
    client::Client,
    directory::{Consumer, Credential, Directory},
    identity::{Identities, Identity},
    negotiate::Asker,
    plan::Plan,
    reply::Reply,
    request_id::RequestId,
    route::{Route, Service},
    timing::Timing,
};

/// What the router found out about a request's path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matched {
    /// The path the client asked for, normalised, without the query.
    pub path: String,
    /// How many bytes of `path` the route's path condition took; `None` without such a condition.
    pub prefix: Option<usize>,
    /// The path to ask the upstream for, escaped, without the query.
    pub upstream_path: String,
    /// The text of each capture group of a regex path, with its name or number.
    pub captures: Vec<(String, String)>,
}

/// What the gateway knows about one request: an `Arc` of it stands in the request's extensions, so
/// that outer layers can read on the way back what inner ones learnt. Cells are written once.
///
/// Embedded in a service of one's own, the outermost guard layer makes one; in the gateway it is
/// made when the route is known.
#[derive(Debug)]
pub struct Context {
    /// The client and its connection.
    pub client: Client,
    /// The request's id.
    pub request_id: RequestId,
    /// What happened when.
    pub timing: Timing,
    /// What the router found out about the path.
    pub matched: Matched,
    /// The host the client asked for, without port, lower case.
    pub host: String,
    /// The form in which the client wants to be answered.
    pub asker: Asker,
    /// The page that a browser asks for, if it says so (`Origin`).
    pub origin: Option<HeaderValue>,
    /// Whether this is a browser asking beforehand what it may do: `OPTIONS` with an origin and
    /// with `Access-Control-Request-Method`.
    pub preflight: bool,
    plan: Option<Arc<Plan>>,
    refusal: Mutex<Option<Reply>>,
    identities: Identities,
    turn: AtomicUsize,
    checked: AtomicUsize,
    refused_headers: OnceLock<HeaderMap>,
    correlation_id: OnceLock<HeaderValue>,
    response_headers: Mutex<Vec<(HeaderName, HeaderValue)>>,
    proxied: AtomicBool,
    upstream: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Context {
    /// A context for a request on this plan. `head` tells how the client wants to be answered.
    pub fn new(client: Client, head: &Parts, timing: Timing, plan: Option<Arc<Plan>>) -> Self {
        let origin = head.headers.get(header::ORIGIN).filter(|origin| !origin.is_empty()).cloned();
        let preflight = origin.is_some()
            && head.method == Method::OPTIONS
            && head.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        Self {
            client,
            request_id: RequestId::random(),
            timing,
            matched: Matched::default(),
            host: String::new(),
            asker: Asker::of(head),
            origin,
            preflight,
            plan,
            refusal: Mutex::new(None),
            identities: Identities::default(),
            turn: AtomicUsize::new(0),
            checked: AtomicUsize::new(0),
            refused_headers: OnceLock::new(),
            correlation_id: OnceLock::new(),
            response_headers: Mutex::new(Vec::new()),
            proxied: AtomicBool::new(false),
            upstream: OnceLock::new(),
        }
    }

    /// The context of this request; made and put into its extensions if there is none yet.
    pub fn of(head: &mut Parts) -> Arc<Self> {
        if let Some(cx) = head.extensions.get::<Arc<Self>>() {
            return cx.clone();
        }
        let cx = Arc::new(Self::new(Client::default(), head, Timing::start(), None));
        head.extensions.insert(cx.clone());
        cx
    }

    /// The plan the request began with; `None` when embedded.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    /// The matched route.
    pub fn route(&self) -> Option<&Route> {
        self.plan()?.route.as_deref()
    }

    /// The service of the matched route.
    pub fn service(&self) -> Option<&Service> {
        self.plan()?.service.as_deref()
    }

    /// The consumers and credentials of the configuration the request began with.
    pub fn directory(&self) -> Option<&Directory> {
        self.plan().map(|plan| &*plan.directory)
    }

    /// Decides, before any guard, that the request is to be answered so (no route, bad request).
    /// Guards do not check it then, but see the response.
    pub fn refuse(&self, reply: Reply) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
    }

    pub(crate) fn take_refusal(&self) -> Option<Reply> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Records who the request is from, as of the guard whose turn it is. A later one replaces it.
    pub fn identify(&self, identity: Identity) {
        self.identities.push(self.turn.load(Ordering::Relaxed), identity);
    }

    /// Who the request is from, as far as is known now.
    pub fn identity(&self) -> Option<&Identity> {
        self.identities.before(usize::MAX)
    }

    /// The consumer, as far as is known now.
    pub fn consumer(&self) -> Option<&Consumer> {
        self.identity()?.consumer(self.directory())
    }

    /// The credential the request proved itself with, as far as is known now.
    pub fn credential(&self) -> Option<&Credential> {
        self.identity()?.credential(self.directory())
    }

    pub(crate) fn begin_check(&self, turn: usize) {
        self.turn.store(turn, Ordering::Relaxed);
        self.checked.store(turn.saturating_add(1), Ordering::Relaxed);
    }

    pub(crate) fn begin_respond(&self, turn: usize) {
        self.turn.store(turn, Ordering::Relaxed);
    }

    /// Whether the guard that sees the response now has checked the request before. It has not if
    /// an earlier guard refused, or nothing matched.
    pub fn has_checked(&self) -> bool {
        self.turn.load(Ordering::Relaxed) < self.checked.load(Ordering::Relaxed)
    }

    pub(crate) fn keep_refused(&self, headers: HeaderMap) {
        let _ = self.refused_headers.set(headers);
    }

    /// The headers of a request that was refused, by a guard or before; `None` for one that went
    /// on, whose headers went with it.
    pub fn refused_headers(&self) -> Option<&HeaderMap> {
        self.refused_headers.get()
    }

    /// The consumer as it was known when the guard of this turn was looked up.
    pub(crate) fn consumer_before(&self, turn: usize) -> Option<&Consumer> {
        self.identities.before(turn)?.consumer(self.directory())
    }

    /// The id that correlates this request over systems, once one is known.
    pub fn correlation_id(&self) -> Option<&HeaderValue> {
        self.correlation_id.get()
    }

    /// Records the correlation id; the first one counts.
    pub fn correlate(&self, id: HeaderValue) {
        let _ = self.correlation_id.set(id);
    }

    /// Sets a header of the response to come, whoever makes it.
    pub fn set_response_header(&self, name: HeaderName, value: HeaderValue) {
        self.response_headers.lock().unwrap_or_else(PoisonError::into_inner).push((name, value));
    }

    /// Sets several headers of the response to come at once.
    pub fn set_response_headers(&self, headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>) {
        self.response_headers.lock().unwrap_or_else(PoisonError::into_inner).extend(headers);
    }

    /// Writes the headers set so far, over those that are there already.
    pub(crate) fn write_response_headers(&self, headers: &mut HeaderMap) {
        let mut set = self.response_headers.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in set.drain(..) {
            headers.insert(name, value);
        }
    }

    /// Writes the headers set so far beside those of a refusal. What it says itself it said last.
    pub(crate) fn write_response_headers_beside(&self, refusal: &mut HeaderMap) {
        let own = std::mem::take(refusal);
        self.write_response_headers(refusal);
        refusal.extend(own);
    }

    /// Marks that the response is the upstream's own, not the gateway's.
    pub fn mark_proxied(&self) {
        self.proxied.store(true, Ordering::Relaxed);
    }

    /// Whether the response is the upstream's own.
    pub fn is_proxied(&self) -> bool {
        self.proxied.load(Ordering::Relaxed)
    }

    /// Keeps what the proxying service has to tell about its attempts (for logs and metrics).
    pub fn record_upstream<T: Any + Send + Sync>(&self, facts: T) {
        let _ = self.upstream.set(Box::new(facts));
    }

    /// What the proxying service told, if it is of this type.
    pub fn upstream<T: Any>(&self) -> Option<&T> {
        self.upstream.get()?.downcast_ref()
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_request_keeps_its_context() {
        let (mut head, ()) = Request::new(()).into_parts();
        let first = Context::of(&mut head);
        first.correlate(HeaderValue::from_static("a"));
        first.correlate(HeaderValue::from_static("b"));
        let again = Context::of(&mut head);
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(again.correlation_id().unwrap(), "a", "the first one counts");
    }
}
