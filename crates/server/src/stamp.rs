//! The headers of our own that every response gets, as the settings `headers`, `server_token` and
//! `allow_debug_header` say.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use towergate_core::Context;

use crate::config::{ServerConfig, Tokens};

const PROXY_LATENCY: HeaderName = HeaderName::from_static("x-kong-proxy-latency");
const UPSTREAM_LATENCY: HeaderName = HeaderName::from_static("x-kong-upstream-latency");
const RESPONSE_LATENCY: HeaderName = HeaderName::from_static("x-kong-response-latency");
const UPSTREAM_STATUS: HeaderName = HeaderName::from_static("x-kong-upstream-status");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-kong-request-id");
const DEBUG: HeaderName = HeaderName::from_static("kong-debug");
const ROUTE_ID: HeaderName = HeaderName::from_static("kong-route-id");
const ROUTE_NAME: HeaderName = HeaderName::from_static("kong-route-name");
const SERVICE_ID: HeaderName = HeaderName::from_static("kong-service-id");
const SERVICE_NAME: HeaderName = HeaderName::from_static("kong-service-name");

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

    /// Puts our headers on a response, that an upstream gave by this version of HTTP. Whether the
    /// request went upstream decides which: also an upstream that gave no answer has cost its time.
    pub(crate) fn put(
        &self,
        headers: &mut HeaderMap,
        status: StatusCode,
        version: Version,
        cx: &Context,
        is_debug: bool,
    ) {
        match cx.timing.proxy_latency() {
            Some(here) => self.put_proxied(headers, status, version, cx, here),
            None => self.put_own(headers, cx),
        }
        if self.tokens.request_id {
            headers.insert(REQUEST_ID, cx.request_id.to_value());
        }
        if is_debug {
            put_names(headers, cx);
        }
    }

    fn put_proxied(&self, headers: &mut HeaderMap, status: StatusCode, version: Version, cx: &Context, here: Duration) {
        if self.tokens.upstream_latency {
            let waited = cx.timing.upstream_latency();
            let waited = waited.unwrap_or_else(|| cx.timing.started().elapsed().saturating_sub(here));
            headers.insert(UPSTREAM_LATENCY, milliseconds(waited));
        }
        if self.tokens.proxy_latency {
            headers.insert(PROXY_LATENCY, milliseconds(here));
        }
        if self.tokens.via {
            put_via(headers, if version == Version::HTTP_2 { &self.via_http2 } else { &self.via });
        }
        if self.tokens.server && !headers.contains_key(header::SERVER) {
            headers.insert(header::SERVER, self.server.clone());
        }
        if self.tokens.upstream_status {
            headers.insert(UPSTREAM_STATUS, HeaderValue::from(status.as_u16()));
        }
    }

    fn put_own(&self, headers: &mut HeaderMap, cx: &Context) {
        if self.tokens.response_latency {
            headers.insert(RESPONSE_LATENCY, milliseconds(cx.timing.started().elapsed()));
        }
        if self.tokens.server {
            headers.insert(header::SERVER, self.server.clone());
        } else {
            headers.remove(header::SERVER);
        }
    }
}

/// `<the upstream's>, <ours>`.
fn put_via(headers: &mut HeaderMap, ours: &HeaderValue) {
    let mut before = Vec::new();
    for line in headers.get_all(header::VIA) {
        before.extend_from_slice(line.as_bytes());
        before.extend_from_slice(b", ");
    }
    if before.is_empty() {
        headers.insert(header::VIA, ours.clone());
        return;
    }
    before.extend_from_slice(ours.as_bytes());
    if let Ok(all) = HeaderValue::from_bytes(&before) {
        headers.insert(header::VIA, all);
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

/// Whole milliseconds; the usual small ones without an allocation.
fn milliseconds(duration: Duration) -> HeaderValue {
    const SMALL: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let number = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
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
            assert_eq!(milliseconds(Duration::from_micros(micros)), text);
        }
    }
}
