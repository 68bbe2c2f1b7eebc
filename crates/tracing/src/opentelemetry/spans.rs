//! The spans of one request, as Kong names them.

use std::time::Instant;

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    trace::v1::{Span, span::SpanKind},
};
use serde_json::Value;
use towergate_core::{Context, Instrumentations, LookUp, Part, Try};

use crate::{
    begun::{Begun, Noted},
    clock::Clock,
    ids::SpanId,
    otlp::{SpanOf, attribute, built, number, whole},
};

/// How a request ended.
pub(super) struct Over<'a> {
    /// The status of its response; 0 if it never had one.
    pub(super) status: u16,
    pub(super) ended: Instant,
    pub(super) route: Option<&'a RoutePath>,
}

/// What Kong shows of a route: its first path.
#[derive(Debug, Default)]
pub(super) struct RoutePath(String);

impl RoutePath {
    /// The path of this request's route.
    pub(super) fn of(cx: &Context) -> Self {
        let entity = cx.plan().and_then(|plan| plan.entities.as_ref()?.route(plan.route.as_ref()?.id));
        let entity: Option<Value> = entity.and_then(|text| serde_json::from_str(&text).ok());
        let first = entity.as_ref().and_then(|route| route.get("paths")?.get(0)?.as_str());
        Self(first.unwrap_or_default().to_owned())
    }
}

/// All spans of a request that is over: its own first, then what ran on its way.
pub(super) fn each(
    cx: &Context,
    begun: &Begun,
    noted: &Noted,
    parts: Instrumentations,
    over: &Over<'_>,
    mut push: impl FnMut(Span),
) {
    let clock = Clock::of(&cx.timing);
    let mut push = |span: SpanOf| push(built(begun.trace_id, clock, span));
    push(own(cx, begun, noted, over));
    if let Some(routed) = cx.timing.routed().filter(|_| parts.router) {
        push(child("kong.router".into(), begun, cx.timing.started(), routed));
    }
    let spans = cx.spans.list();
    let tries = cx.records.tries();
    let attempts = spans.iter().filter(|span| span.part == Part::Attempt).count();
    let mut attempt = 0_usize;
    for span in spans {
        let ended = span.ended.unwrap_or(over.ended);
        match span.part {
            Part::Check(plugin) if parts.plugin_access => {
                push(child(format!("kong.access.plugin.{plugin}"), begun, span.began, ended));
            }
            Part::Respond(plugin) if parts.plugin_header_filter => {
                push(child(format!("kong.header_filter.plugin.{plugin}"), begun, span.began, ended));
            }
            Part::Attempt if parts.balancer => {
                let tried = tries.and_then(|tries| tries.iter().nth(attempt));
                attempt = attempt.saturating_add(1);
                // The last one lasts until the response was passed on, and is what the upstream knows of.
                let is_last = attempt == attempts;
                let ended = if is_last && tried.is_some_and(is_answered) { over.ended } else { ended };
                let id = if is_last { begun.upstream } else { SpanId::random() };
                push(balancer(cx, begun, id, attempt, tried, (span.began, ended)));
            }
            _ => {}
        }
    }
    if parts.dns_query {
        cx.spans.look_ups().into_iter().for_each(|look_up| push(dns(begun, look_up)));
    }
}

/// The span of the request itself.
fn own(cx: &Context, begun: &Begun, noted: &Noted, over: &Over<'_>) -> SpanOf {
    let scheme = cx.client.scheme.as_str();
    let target = noted.uri.path_and_query().map_or("/", |target| target.as_str());
    let host = if cx.host.is_empty() { noted.uri.host().unwrap_or_default() } else { &cx.host };
    let mut attributes = vec![
        attribute("http.method", noted.method.as_str()),
        attribute("http.url", format!("{scheme}://{host}{target}")),
        attribute("http.host", host),
        attribute("http.scheme", scheme),
        attribute("http.flavor", noted.flavor()),
        attribute("kong.request.id", cx.request_id.as_str()),
    ];
    let peer = cx.client.peer.map(|peer| peer.ip());
    attributes.extend(cx.client.address.or(peer).map(|ip| attribute("http.client_ip", ip.to_string())));
    attributes.extend(peer.or(cx.client.address).map(|ip| attribute("net.peer.ip", ip.to_string())));
    if over.status != 0 {
        attributes.push(whole("http.status_code", over.status.into()));
        attributes.push(attribute("http.route", over.route.map_or("", |route| route.0.as_str())));
    }
    SpanOf {
        name: "kong".into(),
        id: begun.root,
        parent: begun.parent,
        kind: SpanKind::Server,
        began: cx.timing.started(),
        ended: over.ended,
        attributes,
        has_failed: false,
        exception: None,
    }
}

fn child(name: String, begun: &Begun, began: Instant, ended: Instant) -> SpanOf {
    SpanOf {
        name,
        id: SpanId::random(),
        parent: Some(begun.root),
        kind: SpanKind::Internal,
        began,
        ended,
        attributes: Vec::new(),
        has_failed: false,
        exception: None,
    }
}

/// A name that the request has waited for.
fn dns(begun: &Begun, look_up: LookUp) -> SpanOf {
    let mut attributes = vec![attribute("dns.record.domain", look_up.name)];
    attributes.extend(look_up.port.map(|port| number("dns.record.port", port.into())));
    attributes.extend(look_up.found.iter().map(|ip| attribute("dns.record.ip", ip.to_string())));
    SpanOf {
        kind: SpanKind::Client,
        attributes,
        has_failed: look_up.found.is_err(),
        exception: look_up.found.err(),
        ..child("kong.dns".into(), begun, look_up.began, look_up.ended)
    }
}

/// An attempt at reaching the upstream.
fn balancer(
    cx: &Context,
    begun: &Begun,
    id: SpanId,
    count: usize,
    tried: Option<&Try>,
    (began, ended): (Instant, Instant),
) -> SpanOf {
    let mut attributes: Vec<KeyValue> = vec![number("try_count", u32::try_from(count).unwrap_or(u32::MAX).into())];
    if let Some(tried) = tried {
        attributes.push(attribute("net.peer.ip", tried.ip.to_string()));
        attributes.push(number("net.peer.port", tried.port.into()));
    }
    // With an upstream entity the name is the target's, which nobody has kept.
    let named = cx.service().filter(|service| service.balancing.is_none());
    attributes.extend(named.map(|service| attribute("net.peer.name", service.host.as_str())));
    let has_failed = !tried.is_some_and(is_answered);
    if let Some(tried) = tried.filter(|_| has_failed) {
        attributes.push(whole("http.status_code", tried.code.into()));
    }
    SpanOf {
        name: "kong.balancer".into(),
        id,
        parent: Some(begun.root),
        kind: SpanKind::Client,
        began,
        ended,
        attributes,
        has_failed,
        exception: None,
    }
}

fn is_answered(tried: &Try) -> bool {
    tried.state == towergate_core::TryState::Answered
}
