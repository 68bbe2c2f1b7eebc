//! What the gateway knows about one request.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, request::Parts};

use crate::{
    client::Client,
    directory::{Consumer, Credential, Directory},
    fault::Fault,
    gate::Gate,
    generation::Generation,
    guard::Guard,
    identity::{Identities, Identity},
    negotiate::{Asker, Asking},
    plan::Plan,
    records::Records,
    reply::{Pages, Reply},
    request_id::RequestId,
    retry::RetryRules,
    route::{Route, Service},
    service_override::{OtherWay, ServiceOverride},
    set_headers::{SetHeaders, SetValue},
    spans::Spans,
    timing::Timing,
    trace::{Trace, Traces},
    traffic::Traffic,
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
    /// How much went over the client's connection.
    pub traffic: Traffic,
    /// What is kept for those who tell about it when it is over.
    pub records: Records,
    /// When the parts of its way ran.
    pub spans: Spans,
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
    generation: Option<Arc<Generation>>,
    // What few requests have is boxed, so that it takes no room in the others' contexts.
    refusal: Mutex<Option<Box<Reply>>>,
    has_refusal: AtomicBool,
    identities: Identities,
    turn: AtomicUsize,
    checked: AtomicUsize,
    refused_headers: OnceLock<Box<HeaderMap>>,
    correlation_id: OnceLock<HeaderValue>,
    traces: Traces,
    response_headers: Mutex<SetHeaders>,
    has_response_headers: AtomicBool,
    /// Whether whoever serves the request writes them himself.
    defers_response_headers: bool,
    request_headers: Mutex<SetHeaders>,
    has_request_headers: AtomicBool,
    proxied: AtomicBool,
    fault: OnceLock<Fault>,
    gate: OnceLock<Box<dyn Gate>>,
    retries: OnceLock<Arc<RetryRules>>,
    /// The place of a way among the plan's; beyond them for none.
    overridden: AtomicUsize,
    upstream_path: OnceLock<String>,
    other_path: OnceLock<String>,
}

impl Context {
    /// A context for a request on this plan. `head` tells how the client wants to be answered.
    pub fn new(client: Client, head: &Parts, timing: Timing, plan: Option<Arc<Plan>>) -> Self {
        Self::asked(Asking::of(head), client, head, timing, plan)
    }

    /// The same of a request whose headers were noted already.
    #[inline]
    pub fn asked(asking: Asking, client: Client, head: &Parts, timing: Timing, plan: Option<Arc<Plan>>) -> Self {
        let (asker, origin, preflight) = asking.settle(head);
        Self {
            client,
            request_id: RequestId::random(),
            timing,
            traffic: Traffic::default(),
            records: Records::default(),
            spans: Spans::default(),
            matched: Matched::default(),
            host: String::new(),
            asker,
            origin,
            preflight,
            plan,
            generation: None,
            refusal: Mutex::new(None),
            has_refusal: AtomicBool::new(false),
            identities: Identities::default(),
            turn: AtomicUsize::new(0),
            checked: AtomicUsize::new(0),
            refused_headers: OnceLock::new(),
            correlation_id: OnceLock::new(),
            traces: Traces::default(),
            response_headers: Mutex::default(),
            has_response_headers: AtomicBool::new(false),
            defers_response_headers: false,
            request_headers: Mutex::default(),
            has_request_headers: AtomicBool::new(false),
            proxied: AtomicBool::new(false),
            fault: OnceLock::new(),
            gate: OnceLock::new(),
            retries: OnceLock::new(),
            overridden: AtomicUsize::new(usize::MAX),
            upstream_path: OnceLock::new(),
            other_path: OnceLock::new(),
        }
    }

    /// The same, under a configuration of which this holds as a whole.
    #[must_use]
    pub fn under(mut self, generation: Arc<Generation>) -> Self {
        self.put_under(generation);
        self
    }

    /// Puts the request under a configuration of which this holds as a whole.
    pub fn put_under(&mut self, generation: Arc<Generation>) {
        self.generation = Some(generation);
    }

    /// The context of this request; made and put into its extensions if there is none yet. Whoever serves
    /// the request says whom it is from by the peer's [`SocketAddr`] in its extensions.
    pub fn of(head: &mut Parts) -> Arc<Self> {
        if let Some(cx) = head.extensions.get::<Arc<Self>>() {
            return cx.clone();
        }
        let client = head.extensions.get::<SocketAddr>().copied().map(Client::direct).unwrap_or_default();
        let cx = Arc::new(Self::new(client, head, Timing::start(), None));
        head.extensions.insert(cx.clone());
        cx
    }

    /// The plan the request began with; `None` when embedded.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_deref()
    }

    /// What holds for the whole configuration the request began with; `None` when embedded.
    pub fn generation(&self) -> Option<&Generation> {
        self.generation.as_deref()
    }

    /// The matched route.
    pub fn route(&self) -> Option<&Route> {
        self.plan()?.route.as_ref()
    }

    /// The service of the matched route.
    pub fn service(&self) -> Option<&Service> {
        self.plan()?.service.as_deref()
    }

    /// The consumers and credentials of the configuration the request began with.
    pub fn directory(&self) -> Option<&Directory> {
        self.generation().map(|generation| &*generation.directory)
    }

    /// Decides, before any guard, that the request is to be answered so (no route, bad request).
    /// Guards do not check it then, but see the response.
    pub fn refuse(&self, reply: Reply) {
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(reply));
        self.has_refusal.store(true, Ordering::Relaxed);
    }

    pub(crate) fn take_refusal(&self) -> Option<Box<Reply>> {
        // Most have none, and need no lock to know.
        if !self.has_refusal.load(Ordering::Relaxed) {
            return None;
        }
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The response that this reply is to this request, in the form its client wants and on the
    /// pages of its plan.
    pub fn render(&self, reply: Reply) -> Response<Bytes> {
        match self.plan() {
            Some(plan) => reply.render(&self.asker, &self.request_id, &plan.pages),
            None => reply.render(&self.asker, &self.request_id, &Pages::default()),
        }
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

    /// The names of the consumer groups the consumer is in, as far as is known now.
    pub fn consumer_group_names(&self) -> impl Iterator<Item = &str> {
        let directory = self.identity().and_then(|identity| identity.directory(self.directory()));
        let groups = self.consumer().map_or(&[][..], |consumer| &consumer.groups);
        groups.iter().filter_map(move |group| directory?.group_name(*group))
    }

    /// The groups another system says the request is from: those of the latest identity that came
    /// with any. A consumer found later does not take them away.
    pub fn authenticated_groups(&self) -> &[String] {
        self.identities.groups()
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
        let _ = self.refused_headers.set(Box::new(headers));
    }

    /// The headers of a request that was refused, by a guard or before; `None` for one that went
    /// on, whose headers went with it.
    pub fn refused_headers(&self) -> Option<&HeaderMap> {
        self.refused_headers.get().map(|headers| &**headers)
    }

    /// The headers of the request as the guards left them, if they are [kept](Records) or it was refused.
    pub fn request_headers(&self) -> Option<&HeaderMap> {
        self.records.request_headers().or_else(|| self.refused_headers())
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

    /// The trace the request belongs to, once a tracing plugin knows it.
    pub fn trace(&self) -> Option<&Trace> {
        self.traces.first()
    }

    /// The trace's id in each format of headers in which it goes upstream: the format's name and what it writes.
    pub fn trace_formats(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.traces.formats()
    }

    /// Records the trace the request belongs to; the first one counts. Of a second one the formats are added.
    pub fn record_trace(&self, trace: Trace) {
        self.traces.record(trace);
    }

    /// Sets a header of the request as it goes on.
    pub fn set_request_header(&self, name: HeaderName, value: impl Into<SetValue>) {
        self.change_request_headers(|set| set.set(name, value.into()));
    }

    /// Sets, adds and removes headers of the request as it goes on. They are in its map before anybody looks at it who
    /// [may read](crate::Guard::may_read) them; else whoever sends the request writes them.
    pub fn change_request_headers(&self, change: impl FnOnce(&mut SetHeaders)) {
        change(&mut self.request_headers.lock().unwrap_or_else(PoisonError::into_inner));
        self.has_request_headers.store(true, Ordering::Relaxed);
    }

    /// The headers of the request that guards have set and that are not in its map.
    pub fn take_request_headers(&self) -> SetHeaders {
        if !self.has_request_headers.load(Ordering::Relaxed) {
            return SetHeaders::default();
        }
        self.has_request_headers.store(false, Ordering::Relaxed);
        std::mem::take(&mut *self.request_headers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes the headers of the request set so far into its map.
    pub fn write_request_headers(&self, headers: &mut HeaderMap) {
        if self.has_request_headers.load(Ordering::Relaxed) {
            self.take_request_headers().write(self, headers);
        }
    }

    /// The same before the turn of a guard, if it may read one of them.
    pub(crate) fn show_request_headers(&self, guard: &dyn Guard, headers: &mut HeaderMap) {
        if !self.has_request_headers.load(Ordering::Relaxed) {
            return;
        }
        let may_read = {
            let set = self.request_headers.lock().unwrap_or_else(PoisonError::into_inner);
            set.names().any(|name| guard.may_read(name))
        };
        if may_read {
            self.write_request_headers(headers);
        }
    }

    /// The same when all guards have checked the request, unless whoever sends it writes them: who stands in between and
    /// looks at requests sees them.
    pub(crate) fn settle_request_headers(&self, is_sender_writing: bool, headers: &mut HeaderMap) {
        if !self.has_request_headers.load(Ordering::Relaxed) {
            return;
        }
        let is_alone = !self.records.is_asked() && self.plan().is_some_and(|plan| !plan.plugins.bands.inner);
        let may_wait = || self.request_headers.lock().unwrap_or_else(PoisonError::into_inner).may_wait();
        if !(is_sender_writing && is_alone && may_wait()) {
            self.write_request_headers(headers);
        }
    }

    /// Sets a header of the response to come, whoever makes it.
    pub fn set_response_header(&self, name: HeaderName, value: impl Into<SetValue>) {
        self.change_response_headers(|set| set.set(name, value.into()));
    }

    /// Sets, adds and removes headers of the response to come.
    pub fn change_response_headers(&self, change: impl FnOnce(&mut SetHeaders)) {
        change(&mut self.response_headers.lock().unwrap_or_else(PoisonError::into_inner));
        self.has_response_headers.store(true, Ordering::Relaxed);
    }

    /// Says that whoever serves the request writes the headers that guards set into the response's head himself
    /// ([`take_response_headers`](Self::take_response_headers)), unless somebody wants to see them before.
    pub fn defer_response_headers(&mut self) {
        self.defers_response_headers = true;
    }

    /// For how many headers that guards set a response's map is to have room.
    pub fn response_headers_to_come(&self) -> usize {
        if self.may_defer() {
            return 0;
        }
        let guards = self.plan().map_or(0, |plan| plan.plugins.guards.len());
        let set = self.response_headers.lock().unwrap_or_else(PoisonError::into_inner).len();
        guards.saturating_mul(2).saturating_add(set)
    }

    /// Whether nobody on the way of this response looks at the headers that guards set.
    fn may_defer(&self) -> bool {
        self.defers_response_headers
            && !self.records.is_asked()
            && self.plan().is_some_and(|plan| !plan.plugins.bands.heads)
    }

    /// The headers of the response that guards have set and that were not written yet.
    pub fn take_response_headers(&self) -> SetHeaders {
        // Plain loads and stores: a request is at one place at a time.
        if !self.has_response_headers.load(Ordering::Relaxed) {
            return SetHeaders::default();
        }
        self.has_response_headers.store(false, Ordering::Relaxed);
        std::mem::take(&mut *self.response_headers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes the headers set so far, over those that are there already.
    pub fn write_response_headers(&self, headers: &mut HeaderMap) {
        // Most have none, and need no lock to know.
        if self.has_response_headers.load(Ordering::Relaxed) {
            self.take_response_headers().write(self, headers);
        }
    }

    /// The same when all guards have seen the response, unless they are written later.
    pub(crate) fn settle_response_headers(&self, headers: &mut HeaderMap) {
        if !self.has_response_headers.load(Ordering::Relaxed) {
            return;
        }
        let set = &self.response_headers;
        if !self.may_defer() || !set.lock().unwrap_or_else(PoisonError::into_inner).may_wait() {
            self.write_response_headers(headers);
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

    /// Records why the proxying service answers the request itself; the first one counts.
    pub fn record_fault(&self, fault: Fault) {
        let _ = self.fault.set(fault);
    }

    /// Why the proxying service answered the request itself; `None` if it did not.
    pub fn fault(&self) -> Option<Fault> {
        self.fault.get().copied()
    }

    /// Lets `gate` say which targets are tried. There is one at most: `false` means that another was first.
    pub fn set_gate(&self, gate: Box<dyn Gate>) -> bool {
        self.gate.set(gate).is_ok()
    }

    /// Who has a say in which targets are tried.
    pub fn gate(&self) -> Option<&dyn Gate> {
        self.gate.get().map(|gate| &**gate)
    }

    /// Says when and how attempts are repeated; the first one counts, and `false` means that another was.
    pub fn set_retries(&self, rules: Arc<RetryRules>) -> bool {
        self.retries.set(rules).is_ok()
    }

    /// When and how attempts are repeated, if somebody has said so.
    pub fn retries(&self) -> Option<&RetryRules> {
        self.retries.get().map(|rules| &**rules)
    }

    /// The way to this other place, if the request's plan has it.
    pub fn other_way(&self, to: &ServiceOverride) -> Option<&OtherWay> {
        self.plan()?.plugins.overrides.iter().find(|way| way.to == *to)
    }

    /// Sends the request to another place than its route's service; the last one to do so counts, as in
    /// Kong. `false` means that the request's plan has no way there, and nothing is changed.
    pub fn override_service(&self, to: &ServiceOverride) -> bool {
        let place = self.plan().and_then(|plan| plan.plugins.overrides.iter().position(|way| way.to == *to));
        if let Some(place) = place {
            self.overridden.store(place, Ordering::Relaxed);
        }
        place.is_some()
    }

    /// Where the request goes instead of to its route's service.
    pub fn overridden(&self) -> Option<&OtherWay> {
        self.plan()?.plugins.overrides.get(self.overridden.load(Ordering::Relaxed))
    }

    /// Sets the path to ask the upstream for, escaped, without the query, in place of the one that the
    /// router found; the first one counts.
    pub fn set_upstream_path(&self, path: impl Into<String>) {
        let _ = self.upstream_path.set(path.into());
    }

    /// The path to ask the upstream for, escaped, without the query.
    pub fn upstream_path(&self) -> &str {
        let of_other = || {
            let path = self.overridden()?.path.as_ref()?;
            Some(self.other_path.get_or_init(|| path(&self.matched)))
        };
        self.upstream_path.get().or_else(of_other).unwrap_or(&self.matched.upstream_path)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use uuid::Uuid;

    use super::*;
    use crate::identity::Accounts;

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

    #[test]
    fn a_server_says_whom_a_request_is_from() {
        let mut request = Request::new(());
        request.extensions_mut().insert("[::ffff:192.0.2.7]:1234".parse::<SocketAddr>().unwrap());
        let (mut head, ()) = request.into_parts();
        let client = &Context::of(&mut head).client;
        assert_eq!(client.address, Some("192.0.2.7".parse().unwrap()));
        assert_eq!((client.port, client.trusted), (Some(1234), false));
    }

    /// Bars every target, in its own words.
    #[derive(Debug)]
    struct Barring(&'static str);

    impl Gate for Barring {
        fn admit<'a>(&'a self, _: &'a Context, _: &'a str) -> Option<Box<dyn crate::Pass + 'a>> {
            None
        }

        fn refusal(&self, _: &Context) -> Reply {
            Reply::exit(http::StatusCode::SERVICE_UNAVAILABLE, self.0)
        }
    }

    #[test]
    fn there_is_one_gate_and_one_fault() {
        let (mut head, ()) = Request::new(()).into_parts();
        let cx = Context::of(&mut head);
        assert!(cx.gate().is_none() && cx.fault().is_none());
        assert!(cx.set_gate(Box::new(Barring("first"))) && !cx.set_gate(Box::new(Barring("second"))));
        let response = cx.render(cx.gate().unwrap().refusal(&cx));
        assert_eq!((response.status().as_u16(), &**response.body()), (503, br#"{"message":"first"}"#.as_slice()));
        cx.record_fault(Fault::Timeout);
        cx.record_fault(Fault::Gateway);
        assert_eq!(cx.fault(), Some(Fault::Timeout));
    }

    #[test]
    fn groups_of_another_system_outlive_a_consumer_found_later() {
        let mut alice = Consumer::named("alice");
        alice.groups = vec![Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3)];
        let mut directory = Directory::builder().consumer(alice.clone());
        directory.add_group(Uuid::from_u128(1), "gold");
        directory.add_group(Uuid::from_u128(3), "beta");
        let accounts = Accounts::own(Arc::new(directory.build()));
        let (mut head, ()) = Request::new(()).into_parts();
        let cx = Context::of(&mut head);
        assert_eq!((cx.authenticated_groups().len(), cx.consumer_group_names().count()), (0, 0));
        cx.identify(Identity::with_groups(vec!["staff".into()]));
        accounts.admit_anonymous(&cx, accounts.directory(&cx).unwrap().consumer_named("alice").unwrap());
        assert_eq!(cx.authenticated_groups(), ["staff"]);
        assert!(cx.consumer_group_names().eq(["gold", "beta"]), "one of the three has no name");
    }
}
