//! The spans of one request, as Kong writes them.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use towergate_core::{Context, Part, Try};

use super::{
    policy::{Traced, Zipkin},
    span::{Endpoint, Span},
};
use crate::{begun::Noted, clock::Clock, ids::SpanId};

/// How a request ended.
pub(super) struct Over {
    /// The status of its response; 499 if its client went away before.
    pub(super) status: u16,
    /// When the response had its head.
    pub(super) answered: Instant,
    pub(super) ended: Instant,
}

/// All spans of a request that is over, the attempts first, its own last.
pub(super) fn all(policy: &Zipkin, cx: &Context, traced: &Traced, noted: &Noted, over: &Over) -> Vec<Span> {
    let account = Account { policy, cx, traced, noted, over, clock: Clock::of(&cx.timing) };
    let mut spans = account.attempts();
    spans.push(account.proxy());
    spans.push(account.request());
    spans
}

/// One request of which spans are written.
struct Account<'a> {
    policy: &'a Zipkin,
    cx: &'a Context,
    traced: &'a Traced,
    noted: &'a Noted,
    over: &'a Over,
    clock: Clock,
}

impl Account<'_> {
    /// What the client sees.
    fn request(&self) -> Span {
        let (cx, noted, begun) = (self.cx, self.noted, &self.traced.begun);
        let started = cx.timing.started();
        let peer = cx.client.peer.map(|peer| (peer.ip(), peer.port()));
        let client = cx.client.address.zip(cx.client.port).or(peer);
        let remote = Endpoint::at(self.policy.default_service_name.clone(), client);
        let mut span = self.span(begun.root, begun.parent, "SERVER", self.name(), (started, self.over.ended), remote);
        span.tag("lc", "kong");
        span.tag("http.method", noted.method.as_str());
        span.tag("http.host", cx.host.as_str());
        span.tag("http.path", noted.uri.path());
        span.tag("http.protocol", format!("HTTP/{}", self.protocol()));
        for tag in &self.policy.static_tags {
            span.tag(&tag.name, tag.value.as_str());
        }
        for (name, value) in &self.traced.tags {
            span.tag(name, value.as_str());
        }
        span.tag("http.status_code", self.over.status.to_string());
        if let Some(consumer) = cx.consumer() {
            span.tag("kong.consumer", consumer.id.to_string());
        }
        if let Some(credential) = cx.credential().filter(|_| self.policy.include_credential) {
            span.tag("kong.credential", credential.id.to_string());
        }
        span.tag("kong.node.id", self.policy.node_id.as_str());
        if self.policy.annotates {
            span.annotate("krf", self.clock.microseconds(self.access_began()));
            span.annotate("krs", self.clock.microseconds(started));
        } else {
            span.tag("kong.rewrite.duration_ms", milliseconds(started, self.access_began()));
        }
        span
    }

    /// What the gateway does for it: Kong's phases, and the upstream.
    fn proxy(&self) -> Span {
        let begun = &self.traced.begun;
        let last = self.cx.records.tries().and_then(|tries| tries.last());
        let name = format!("{} (proxy)", self.name());
        let times = (self.access_began(), self.over.ended);
        let remote = Endpoint::at(self.service_name(), last.map(address));
        let mut span = self.span(begun.upstream, Some(begun.root), "CLIENT", name, times, remote);
        if last.is_some()
            && let Some(service) = self.cx.service().filter(|service| service.balancing.is_none())
        {
            span.tag("peer.hostname", service.host.as_str());
        }
        self.tag_with_service_and_route(&mut span);
        self.tell_phases(&mut span);
        span
    }

    /// When Kong's phases began and ended, or how long they took.
    fn tell_phases(&self, span: &mut Span) {
        let (access, sent) = (self.access_began(), self.access_ended());
        let (headers, body, ended) = (self.upstream_answered(), self.over.answered, self.over.ended);
        if self.policy.annotates {
            let moments =
                [("khs", headers), ("khf", body), ("kbs", body), ("kas", access), ("kaf", sent), ("kbf", ended)];
            for (name, moment) in moments {
                span.annotate(name, self.clock.microseconds(moment));
            }
        } else {
            span.tag("kong.access.duration_ms", milliseconds(access, sent));
            span.tag("kong.header_filter.duration_ms", milliseconds(headers, body));
            span.tag("kong.body_filter.duration_ms", milliseconds(body, ended));
        }
    }

    /// Each attempt at reaching the upstream.
    fn attempts(&self) -> Vec<Span> {
        let Some(tries) = self.cx.records.tries() else { return Vec::new() };
        let recorded = self.cx.spans.list().into_iter().filter(|span| span.part == Part::Attempt);
        let spans = (1..).zip(tries.iter()).zip(recorded).map(|((count, tried), recorded): ((usize, _), _)| {
            let name = format!("{} (balancer try {count})", self.name());
            let times = (recorded.began, recorded.ended.unwrap_or(self.over.ended));
            let remote = Endpoint::at(self.service_name(), Some(address(tried)));
            let root = self.traced.begun.root;
            let mut span = self.span(SpanId::random(), Some(root), "CLIENT", name, times, remote);
            span.tag("kong.balancer.try", count.to_string());
            if count < tries.len() {
                span.tag("error", "true");
                span.tag("kong.balancer.state", tried.state.as_str().unwrap_or_default());
                span.tag("http.status_code", tried.code.to_string());
            }
            self.tag_with_service_and_route(&mut span);
            span
        });
        spans.collect()
    }

    fn span(
        &self,
        id: SpanId,
        parent: Option<SpanId>,
        kind: &'static str,
        name: String,
        (began, ended): (Instant, Instant),
        remote_endpoint: Option<Endpoint>,
    ) -> Span {
        let local = Endpoint { service_name: Some(self.policy.local_service_name.clone()), ..Endpoint::default() };
        let duration = ended.saturating_duration_since(began);
        Span {
            trace_id: self.traced.trace_id(),
            name,
            parent_id: parent.map(SpanId::hex),
            id: id.hex(),
            kind,
            timestamp: self.clock.microseconds(began),
            duration: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            local_endpoint: local,
            remote_endpoint,
            tags: BTreeMap::new(),
            annotations: Vec::new(),
        }
    }

    fn name(&self) -> String {
        let method = self.noted.method.as_str();
        if self.policy.names_path { format!("{method} {}", self.noted.uri.path()) } else { method.to_owned() }
    }

    /// The version of HTTP as Kong writes it: 2, but 1.1.
    fn protocol(&self) -> &'static str {
        match self.noted.flavor() {
            "2.0" => "2",
            "3.0" => "3",
            flavor => flavor,
        }
    }

    fn service_name(&self) -> Option<String> {
        let name = self.cx.service().and_then(|service| service.name.clone());
        name.or_else(|| self.policy.default_service_name.clone())
    }

    fn tag_with_service_and_route(&self, span: &mut Span) {
        if let Some(service) = self.cx.service() {
            span.tag("kong.service", service.id.to_string());
            span.tag("kong.service_name", service.name.as_deref().unwrap_or_default());
        }
        if let Some(route) = self.cx.route() {
            span.tag("kong.route", route.id.to_string());
            span.tag("kong.route_name", route.name.as_deref().unwrap_or_default());
        }
    }

    fn access_began(&self) -> Instant {
        self.cx.timing.routed().unwrap_or(self.cx.timing.started())
    }

    /// When the request was on its way to the upstream, or answered without it.
    fn access_ended(&self) -> Instant {
        self.after_start(self.cx.timing.proxy_latency()).unwrap_or(self.over.answered)
    }

    fn upstream_answered(&self) -> Instant {
        let latencies = self.cx.timing.proxy_latency().zip(self.cx.timing.upstream_latency());
        self.after_start(latencies.map(|(here, there)| here.saturating_add(there))).unwrap_or(self.over.answered)
    }

    fn after_start(&self, time: Option<Duration>) -> Option<Instant> {
        self.cx.timing.started().checked_add(time?)
    }
}

fn address(tried: &Try) -> (IpAddr, u16) {
    (tried.ip, tried.port)
}

/// Whole milliseconds, as Kong counts.
fn milliseconds(from: Instant, to: Instant) -> String {
    to.saturating_duration_since(from).as_millis().to_string()
}
