//! The headers of our own that every response gets, as the settings `headers`, `server_token` and
//! `allow_debug_header` say.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header, response::Parts};
use towergate_core::Context;
use towergate_http1::server::Lines;

use crate::config::{ServerConfig, Tokens};

const PROXY_LATENCY: Own = Own::new("x-kong-proxy-latency", "X-Kong-Proxy-Latency");
const UPSTREAM_LATENCY: Own = Own::new("x-kong-upstream-latency", "X-Kong-Upstream-Latency");
const RESPONSE_LATENCY: Own = Own::new("x-kong-response-latency", "X-Kong-Response-Latency");
const UPSTREAM_STATUS: Own = Own::new("x-kong-upstream-status", "X-Kong-Upstream-Status");
const REQUEST_ID: Own = Own::new("x-kong-request-id", "X-Kong-Request-Id");
const VIA: Own = Own::new("via", "Via");
const SERVER: Own = Own::new("server", "Server");
const DEBUG: HeaderName = HeaderName::from_static("kong-debug");
const ROUTE_ID: HeaderName = HeaderName::from_static("kong-route-id");
const ROUTE_NAME: HeaderName = HeaderName::from_static("kong-route-name");
const SERVICE_ID: HeaderName = HeaderName::from_static("kong-service-id");
const SERVICE_NAME: HeaderName = HeaderName::from_static("kong-service-name");

/// The name of a header of ours, and how it is written over HTTP/1.1.
struct Own {
    name: HeaderName,
    written: &'static str,
}

impl Own {
    const fn new(name: &'static str, written: &'static str) -> Self {
        Self { name: HeaderName::from_static(name), written }
    }
}

/// A header's value before it has become one.
enum Value<'a> {
    /// The same for many responses.
    Shared(&'a HeaderValue),
    Bytes(&'a [u8]),
    Number(u64),
}

/// Where our headers are put: into a map, or into a head that is being written.
trait Sink {
    fn put(&mut self, own: &Own, value: Value<'_>);
}

impl Sink for HeaderMap {
    fn put(&mut self, own: &Own, value: Value<'_>) {
        let value = match value {
            Value::Shared(value) => value.clone(),
            Value::Number(number) => digits(number),
            Value::Bytes(bytes) => match HeaderValue::from_bytes(bytes) {
                Ok(value) => value,
                Err(_) => return,
            },
        };
        self.insert(own.name.clone(), value);
    }
}

impl Sink for Lines<'_> {
    fn put(&mut self, own: &Own, value: Value<'_>) {
        match value {
            Value::Shared(value) => self.put(own.written, value.as_bytes()),
            Value::Bytes(bytes) => self.put(own.written, bytes),
            // The usual ones are small.
            Value::Number(number) => match u8::try_from(number).ok().filter(|digit| *digit < 10) {
                Some(digit) => self.put(own.written, &[b'0' + digit]),
                None => self.put(own.written, number.to_string().as_bytes()),
            },
        }
    }
}

/// What a response has of its own where we have something to say.
#[derive(Debug, Default)]
struct Theirs {
    has_server: bool,
    /// `Via`, all lines as one; empty if it has none.
    via: Vec<u8>,
}

impl Theirs {
    fn of(headers: &HeaderMap) -> Self {
        let mut theirs = Self { has_server: headers.contains_key(header::SERVER), via: Vec::new() };
        headers.get_all(header::VIA).iter().for_each(|line| theirs.note_via(line));
        theirs
    }

    fn note_via(&mut self, line: &HeaderValue) {
        if !self.via.is_empty() {
            self.via.extend_from_slice(b", ");
        }
        self.via.extend_from_slice(line.as_bytes());
    }
}

/// Puts our headers on responses. Each worker has its own, so that the values' reference counts
/// are not shared.
#[derive(Debug)]
pub(crate) struct Stamp {
    tokens: Tokens,
    server: HeaderValue,
    via: HeaderValue,
    via_http2: HeaderValue,
    is_debug_allowed: bool,
}

impl Stamp {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("towergate"));
        Self {
            tokens: config.tokens,
            server: value(&config.server_token),
            via: value(&format!("1.1 {}", config.server_token)),
            via_http2: value(&format!("2 {}", config.server_token)),
            is_debug_allowed: config.allow_debug_header,
        }
    }

    /// Whether the names of route and service are to be told (any value of `Kong-Debug` asks for it).
    pub(crate) fn is_debug_asked(&self, request: &HeaderMap) -> bool {
        self.is_debug_allowed && request.contains_key(DEBUG)
    }

    /// Puts our headers on a response that an upstream gave by this version of HTTP. Whether the
    /// request went upstream decides which: also an upstream that gave no answer has cost its time.
    pub(crate) fn put(
        &self,
        headers: &mut HeaderMap,
        status: StatusCode,
        version: Version,
        cx: &Context,
        is_debug: bool,
    ) {
        let theirs = Theirs::of(headers);
        if cx.timing.proxy_latency().is_none() {
            headers.remove(header::SERVER);
        }
        self.tell(headers, &theirs, status, version, cx);
        if is_debug {
            put_names(headers, cx);
        }
    }

    /// The same while the response's head is written.
    pub(crate) fn written<'a>(&'a self, head: &'a Parts, cx: &'a Context) -> Written<'a> {
        Written { stamp: self, head, cx, theirs: Theirs::default() }
    }

    fn tell(&self, sink: &mut impl Sink, theirs: &Theirs, status: StatusCode, version: Version, cx: &Context) {
        match cx.timing.proxy_latency() {
            Some(here) => self.tell_proxied(sink, theirs, status, version, cx, here),
            None => self.tell_own(sink, cx),
        }
        if self.tokens.request_id {
            sink.put(&REQUEST_ID, Value::Bytes(cx.request_id.as_str().as_bytes()));
        }
    }

    fn tell_proxied(
        &self,
        sink: &mut impl Sink,
        theirs: &Theirs,
        status: StatusCode,
        version: Version,
        cx: &Context,
        here: Duration,
    ) {
        if self.tokens.upstream_latency {
            let waited = cx.timing.upstream_latency();
            let waited = waited.unwrap_or_else(|| cx.timing.started().elapsed().saturating_sub(here));
            sink.put(&UPSTREAM_LATENCY, milliseconds(waited));
        }
        if self.tokens.proxy_latency {
            sink.put(&PROXY_LATENCY, milliseconds(here));
        }
        if self.tokens.via {
            let ours = if version == Version::HTTP_2 { &self.via_http2 } else { &self.via };
            match theirs.via.is_empty() {
                true => sink.put(&VIA, Value::Shared(ours)),
                false => sink.put(&VIA, Value::Bytes(&[&theirs.via, &b", "[..], ours.as_bytes()].concat())),
            }
        }
        if self.tokens.server && !theirs.has_server {
            sink.put(&SERVER, Value::Shared(&self.server));
        }
        if self.tokens.upstream_status {
            sink.put(&UPSTREAM_STATUS, Value::Number(status.as_u16().into()));
        }
    }

    fn tell_own(&self, sink: &mut impl Sink, cx: &Context) {
        if self.tokens.response_latency {
            sink.put(&RESPONSE_LATENCY, milliseconds(cx.timing.started().elapsed()));
        }
        if self.tokens.server {
            sink.put(&SERVER, Value::Shared(&self.server));
        }
    }
}

/// Our headers, as they are put into the head of a response that is being written.
pub(crate) struct Written<'a> {
    stamp: &'a Stamp,
    head: &'a Parts,
    cx: &'a Context,
    theirs: Theirs,
}

impl Written<'_> {
    /// Notes a header of the response's own; `false` if ours takes its place.
    pub(crate) fn pass(&mut self, name: &HeaderName, value: &HeaderValue) -> bool {
        let tokens = &self.stamp.tokens;
        let is_proxied = self.cx.timing.proxy_latency().is_some();
        match *name {
            header::SERVER => {
                self.theirs.has_server = is_proxied;
                is_proxied
            }
            header::VIA if tokens.via && is_proxied => {
                self.theirs.note_via(value);
                false
            }
            _ => !name.as_str().starts_with("x-kong-") || !tokens.is_ours(name, is_proxied),
        }
    }

    /// Adds ours.
    pub(crate) fn add(&self, lines: &mut Lines<'_>) {
        self.stamp.tell(lines, &self.theirs, self.head.status, self.head.version, self.cx);
    }
}

impl Tokens {
    /// Whether we say this header about timing, status or id ourselves.
    fn is_ours(&self, name: &HeaderName, is_proxied: bool) -> bool {
        (self.request_id && *name == REQUEST_ID.name)
            || (self.upstream_latency && is_proxied && *name == UPSTREAM_LATENCY.name)
            || (self.proxy_latency && is_proxied && *name == PROXY_LATENCY.name)
            || (self.upstream_status && is_proxied && *name == UPSTREAM_STATUS.name)
            || (self.response_latency && !is_proxied && *name == RESPONSE_LATENCY.name)
    }
}

fn put_names(headers: &mut HeaderMap, cx: &Context) {
    let mut put = |name: HeaderName, text: Option<&str>| {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(name, value);
        }
    };
    if let Some(route) = cx.route() {
        put(ROUTE_ID, Some(&route.id.to_string()));
        put(ROUTE_NAME, route.name.as_deref());
    }
    if let Some(service) = cx.service() {
        put(SERVICE_ID, Some(&service.id.to_string()));
        put(SERVICE_NAME, service.name.as_deref());
    }
}

/// Whole milliseconds.
fn milliseconds(duration: Duration) -> Value<'static> {
    Value::Number(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// A number; the usual small ones without an allocation.
fn digits(number: u64) -> HeaderValue {
    const SMALL: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    match usize::try_from(number).ok().and_then(|index| SMALL.get(index)) {
        Some(digit) => HeaderValue::from_static(digit),
        None => HeaderValue::from(number),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        time::{Instant, SystemTime},
    };

    use http::Request;
    use towergate_core::{Client, Plan, Timing};

    use super::*;

    const KONG: &str = "kong/3.9.3";

    /// The headers of a response that went upstream (or did not), sorted by name.
    fn stamped(tokens: Tokens, went_upstream: bool, upstreams: &[(&'static str, &str)]) -> Vec<String> {
        let started = Instant::now();
        let timing = Timing::at(started, SystemTime::now());
        if went_upstream {
            timing.mark_sent(started + Duration::from_millis(12));
            timing.mark_answered(started + Duration::from_millis(15));
        }
        let (head, ()) = Request::new(()).into_parts();
        let cx = Context::new(Client::default(), &head, timing, Some(Arc::new(Plan::default())));
        let mut headers = HeaderMap::new();
        for (name, value) in upstreams {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let config = ServerConfig { tokens, server_token: KONG.into(), ..ServerConfig::default() };
        Stamp::new(&config).put(&mut headers, StatusCode::CREATED, Version::HTTP_11, &cx, false);
        let id = cx.request_id.to_string();
        let text = |value: &HeaderValue| value.to_str().unwrap().replace(&id, "ID");
        let mut lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn a_proxied_response_says_how_long_which_part_took() {
        let expected = [
            "server: kong/3.9.3",
            "via: 1.1 kong/3.9.3",
            "x-kong-proxy-latency: 12",
            "x-kong-request-id: ID",
            "x-kong-upstream-latency: 3",
        ];
        assert_eq!(stamped(Tokens::default(), true, &[]), expected);
    }

    #[test]
    fn an_upstreams_own_server_and_via_are_kept() {
        let upstreams = [("server", "nginx"), ("via", "1.0 a"), ("via", "1.1 b")];
        let lines = stamped(Tokens { server: true, via: true, ..Tokens::OFF }, true, &upstreams);
        assert_eq!(lines, ["server: nginx", "via: 1.0 a, 1.1 b, 1.1 kong/3.9.3"]);
    }

    #[test]
    fn an_own_answer_says_how_long_it_took_in_all() {
        let lines = stamped(Tokens::default(), false, &[]);
        assert_eq!(lines, ["server: kong/3.9.3", "x-kong-request-id: ID", "x-kong-response-latency: 0"]);
    }

    #[test]
    fn off_leaves_nothing_of_ours() {
        assert!(stamped(Tokens::OFF, false, &[]).is_empty());
        assert!(stamped(Tokens::OFF, true, &[]).is_empty());
    }

    #[test]
    fn the_upstreams_status_is_told_on_request() {
        let status = Tokens { upstream_status: true, ..Tokens::OFF };
        assert_eq!(stamped(status, true, &[]), ["x-kong-upstream-status: 201"]);
        assert!(stamped(status, false, &[]).is_empty());
    }

    #[test]
    fn milliseconds_are_whole() {
        for (micros, text) in [(0, "0"), (9_999, "9"), (10_000, "10"), (61_234_999, "61234")] {
            let Value::Number(number) = milliseconds(Duration::from_micros(micros)) else { panic!() };
            assert_eq!(digits(number), text);
        }
    }
}
