//! The head of a request as it goes upstream.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header, request::Parts};
use towergate_core::Context;
use towergate_http1::client::Length as Announced;

use crate::{hop, request_body::Length, settings::ProxySettings, text::Text};

const COOKIE: Own = Own::new("cookie", "Cookie");
const VIA: Own = Own::new("via", "Via");
const X_REAL_IP: Own = Own::new("x-real-ip", "X-Real-IP");
const X_FORWARDED_FOR: Own = Own::new("x-forwarded-for", "X-Forwarded-For");
const X_FORWARDED_PROTO: Own = Own::new("x-forwarded-proto", "X-Forwarded-Proto");
const X_FORWARDED_HOST: Own = Own::new("x-forwarded-host", "X-Forwarded-Host");
const X_FORWARDED_PORT: Own = Own::new("x-forwarded-port", "X-Forwarded-Port");
const X_FORWARDED_PATH: Own = Own::new("x-forwarded-path", "X-Forwarded-Path");
const X_FORWARDED_PREFIX: Own = Own::new("x-forwarded-prefix", "X-Forwarded-Prefix");
const X_KONG_REQUEST_ID: Own = Own::new("x-kong-request-id", "X-Kong-Request-Id");

/// The name of a header that the gateway writes, and how it is written over HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Own {
    name: HeaderName,
    pub(crate) written: &'static str,
}

impl Own {
    const fn new(name: &'static str, written: &'static str) -> Self {
        Self { name: HeaderName::from_static(name), written }
    }
}

/// What headers are written to, one after the other: a request of HTTP/1.1 as it goes out, or a map.
pub(crate) trait Sink {
    /// A header as it is.
    fn copy(&mut self, name: &HeaderName, value: &HeaderValue);

    /// A header of the gateway's own, whose value is made of parts.
    fn put(&mut self, name: &Own, parts: &[&[u8]]);
}

impl Sink for HeaderMap {
    fn copy(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.append(name.clone(), value.clone());
    }

    fn put(&mut self, name: &Own, parts: &[&[u8]]) {
        if let Ok(value) = HeaderValue::from_bytes(&parts.concat()) {
            self.append(name.name.clone(), value);
        }
    }
}

/// Writes the heads of requests as they go upstream.
#[derive(Debug, Clone)]
pub(crate) struct Forwarding {
    /// The `Via` entries for requests received over HTTP/1.0, 1.1 and 2; `None` adds nothing.
    via: Option<[HeaderValue; 3]>,
    request_id: bool,
}

/// What the client said that is not passed on as it is, but continued or said anew.
#[derive(Debug, Default)]
pub(crate) struct Said<'a> {
    forwarded_for: Lines<'a>,
    via: Lines<'a>,
    /// Whether it announced a body, be it an empty one.
    pub(crate) framed: bool,
}

/// What a client wants of the connection, beside an answer: found out in one look over its headers.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Wishes {
    /// Whether it lists headers that go no further.
    lists: bool,
    /// Whether it takes trailers.
    pub(crate) trailers: bool,
    /// Whether it names another protocol.
    pub(crate) upgrade: bool,
}

impl Wishes {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let (mut wishes, mut te) = (Self::default(), false);
        for name in headers.keys() {
            match *name {
                header::CONNECTION => wishes.lists = true,
                header::TE => te = true,
                header::UPGRADE => wishes.upgrade = true,
                _ => {}
            }
        }
        wishes.trailers = te && hop::wants_trailers(headers);
        wishes
    }
}

/// The lines of one header.
#[derive(Debug, Default)]
struct Lines<'a> {
    first: Option<&'a HeaderValue>,
    more: bool,
}

impl Forwarding {
    pub(crate) fn new(settings: &ProxySettings) -> Self {
        let entry = |version: &str| HeaderValue::try_from(format!("{version} {}", settings.via_token));
        let via = match (settings.via_token.is_empty(), entry("1.0"), entry("1.1"), entry("2")) {
            (false, Ok(v10), Ok(v11), Ok(v2)) => Some([v10, v11, v2]),
            _ => None,
        };
        Self { via, request_id: settings.headers_upstream_request_id }
    }

    /// Passes on what is the client's to say, in its order. Without what is about the connection:
    /// that, `Host` and the length of the body are the sender's to write.
    pub(crate) fn pass<'a>(&self, head: &'a Parts, wishes: Wishes, sink: &mut impl Sink) -> Said<'a> {
        // In the gateway the server has done this before the guards, and taken the list away; a proxy
        // used on its own does it here.
        let listed = if wishes.lists { hop::listed(&head.headers, header::CONNECTION) } else { Vec::new() };
        let crumbs = head.version >= Version::HTTP_2;
        let mut said = Said::default();
        for (name, value) in &head.headers {
            if self.is_ours(name) {
                said.note(name, value);
                continue;
            }
            let dropped = !listed.is_empty() && listed.contains(name) && !hop::is_protected(name);
            if !(dropped || crumbs && *name == header::COOKIE) {
                sink.copy(name, value);
            }
        }
        // HTTP/2 allows a cookie header in pieces, HTTP/1.1 does not.
        if crumbs && let Some(cookie) = joined(&head.headers, &header::COOKIE, b"; ") {
            sink.put(&COOKIE, &[&cookie]);
        }
        if wishes.trailers {
            sink.copy(&header::TE, &HeaderValue::from_static("trailers"));
        }
        said
    }

    /// Adds what the gateway says itself.
    pub(crate) fn add(&self, cx: &Context, head: &Parts, said: &Said<'_>, sink: &mut impl Sink) {
        forwarded(cx, head, said, sink);
        self.add_via(head, said, sink);
        if self.request_id {
            sink.put(&X_KONG_REQUEST_ID, &[cx.request_id.as_str().as_bytes()]);
        }
    }

    /// Whether a header is not for the client to decide. Neither is one that becomes such a header
    /// where `_` counts as `-`, as in CGI and all that is modelled on it: `X_Real_IP` there replaces
    /// or joins the `X-Real-IP` that the gateway has written.
    fn is_ours(&self, name: &HeaderName) -> bool {
        match *name {
            header::ACCEPT | header::ACCEPT_ENCODING | header::ACCEPT_LANGUAGE | header::USER_AGENT => false,
            header::CONTENT_TYPE | header::COOKIE | header::AUTHORIZATION | header::ORIGIN | header::REFERER => false,
            header::HOST | header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::VIA => true,
            _ => self.is_named_as_ours(name.as_str()),
        }
    }

    fn is_named_as_ours(&self, name: &str) -> bool {
        let is_ours = |name: &str| is_ours(name) || (self.request_id && name == X_KONG_REQUEST_ID.name.as_str());
        // They begin so, and few others do.
        let may_be =
            matches!(name.as_bytes().first(), Some(b'x' | b'c' | b'e' | b'h' | b'k' | b'p' | b't' | b'u' | b'v'));
        may_be && (is_ours(name) || (name.contains('_') && is_ours(&name.replace('_', "-"))))
    }

    fn add_via(&self, head: &Parts, said: &Said<'_>, sink: &mut impl Sink) {
        let entry = self.via.as_ref().map(|[v10, v11, v2]| match head.version {
            Version::HTTP_09 | Version::HTTP_10 => v10,
            Version::HTTP_2 | Version::HTTP_3 => v2,
            _ => v11,
        });
        match (said.via.joined(&head.headers, &header::VIA), entry) {
            (Some(via), Some(entry)) => sink.put(&VIA, &[&via, b", ", entry.as_bytes()]),
            (Some(via), None) => sink.put(&VIA, &[&via]),
            (None, Some(entry)) => sink.put(&VIA, &[entry.as_bytes()]),
            (None, None) => {}
        }
    }
}

impl<'a> Said<'a> {
    fn note(&mut self, name: &HeaderName, value: &'a HeaderValue) {
        match *name {
            header::CONTENT_LENGTH | header::TRANSFER_ENCODING => self.framed = true,
            header::VIA => self.via.note(value),
            _ if *name == X_FORWARDED_FOR.name => self.forwarded_for.note(value),
            _ => {}
        }
    }
}

impl<'a> Lines<'a> {
    fn note(&mut self, line: &'a HeaderValue) {
        self.more = self.first.is_some();
        self.first = self.first.or(Some(line));
    }

    /// All lines as one; `headers` and `name` are where they come from.
    fn joined(&self, headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
        if self.more { joined(headers, name, b", ") } else { Some(Cow::Borrowed(self.first?.as_bytes())) }
    }
}

/// Where the request goes on the upstream, in parts: the path the router worked out and the client's
/// query as it is, an empty one included. `None` if that is not a request target.
pub(crate) fn target<'a>(cx: &'a Context, head: &'a Parts) -> Option<[&'a str; 3]> {
    let path = match cx.upstream_path() {
        "" => head.uri.path(),
        path => path,
    };
    // Without a way out of it in the middle, so that it is done for many bytes at once.
    let is_target = |text: &str| !text.bytes().fold(false, |any, byte| any | matches!(byte, 0..=b' ' | b'#' | 0x7f));
    let begins = path.starts_with('/') || path == "*";
    let query = head.uri.query();
    let whole = begins && is_target(path) && query.is_none_or(is_target);
    whole.then_some([path, if query.is_some() { "?" } else { "" }, query.unwrap_or_default()])
}

/// Whether a header is not for the client to decide: it is about the client's connection, or the
/// gateway writes it anew.
fn is_ours(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy"
            | "te"
            | "transfer-encoding"
            | "content-length"
            | "upgrade"
            | "http2-settings"
            | "expect"
            | "via"
            | "x-real-ip"
            | "x-forwarded-for"
            | "x-forwarded-proto"
            | "x-forwarded-host"
            | "x-forwarded-port"
            | "x-forwarded-path"
            | "x-forwarded-prefix"
    )
}

/// The host the client asked for, as it wrote it. The target's own counts before the header.
pub(crate) fn client_host(head: &Parts) -> Option<HeaderValue> {
    match head.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => head.headers.get(header::HOST).filter(|host| !host.is_empty()).cloned(),
    }
}

/// How the body is announced: by what it really is, not by what the client announced. An empty one is
/// worth a word where the client gave one (`framed`) or the method usually has one.
pub(crate) fn announced(method: &Method, length: Length, framed: bool) -> Announced {
    match length {
        Length::Unknown => Announced::Unknown { trailers: false },
        Length::Known(0) if !framed && !matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {
            Announced::None
        }
        Length::Known(bytes) => Announced::Known(bytes),
    }
}

/// Tells the upstream about the client's side: `X-Real-IP` and `X-Forwarded-*`. What the client
/// says about them counts only if it is trusted; `X-Forwarded-For` is always continued.
fn forwarded(cx: &Context, head: &Parts, said: &Said<'_>, sink: &mut impl Sink) {
    let client = &cx.client;
    let peer = client.peer.map(|peer| peer.ip());
    let address = client.address.or(peer).map(Text::address);
    let hops = said.forwarded_for.joined(&head.headers, &X_FORWARDED_FOR.name);
    if let Some(address) = &address {
        sink.put(&X_REAL_IP, &[address.as_bytes()]);
    }
    match (hops, peer.or(client.address), address) {
        (Some(hops), Some(peer), _) => sink.put(&X_FORWARDED_FOR, &[&hops, b", ", Text::address(peer).as_bytes()]),
        (Some(hops), None, _) => sink.put(&X_FORWARDED_FOR, &[&hops]),
        (None, _, Some(address)) => sink.put(&X_FORWARDED_FOR, &[address.as_bytes()]),
        (None, _, None) => {}
    }
    let mut tell = Telling { cx, head, sink };
    tell.say(&X_FORWARDED_PROTO, |_| Some(client.scheme.as_str().into()));
    tell.say(&X_FORWARDED_HOST, |tell| tell.host_without_port());
    if !tell.repeat(&X_FORWARDED_PORT)
        && let Some(local) = client.local
    {
        tell.sink.put(&X_FORWARDED_PORT, &[Text::number(local.port().into()).as_bytes()]);
    }
    tell.say(&X_FORWARDED_PATH, |tell| Some(tell.head.uri.path().into()));
    tell.say(&X_FORWARDED_PREFIX, |tell| tell.stripped_prefix().map(Cow::Borrowed));
}

/// What is told about the client's side of a request.
struct Telling<'a, S> {
    cx: &'a Context,
    head: &'a Parts,
    sink: &'a mut S,
}

impl<'a, S: Sink> Telling<'a, S> {
    /// Says something of our own, unless a trusted peer has said it.
    fn say(&mut self, name: &Own, own: impl FnOnce(&Self) -> Option<Cow<'a, str>>) {
        if !self.repeat(name)
            && let Some(value) = own(self)
        {
            self.sink.put(name, &[value.as_bytes()]);
        }
    }

    /// Repeats what a trusted peer says, as it is. Whether there was anything.
    fn repeat(&mut self, name: &Own) -> bool {
        self.cx.client.trusted && self.repeat_all(name)
    }

    fn repeat_all(&mut self, name: &Own) -> bool {
        let mut any = false;
        for value in self.head.headers.get_all(&name.name) {
            self.sink.copy(&name.name, value);
            any = true;
        }
        any
    }

    fn host_without_port(&self) -> Option<Cow<'a, str>> {
        if !self.cx.host.is_empty() {
            return Some(Cow::Borrowed(&self.cx.host));
        }
        let host = client_host(self.head)?;
        let authority: http::uri::Authority = host.to_str().ok()?.parse().ok()?;
        Some(authority.host().to_ascii_lowercase().into())
    }

    /// The part of the path that was taken off, unless it is just `/`.
    fn stripped_prefix(&self) -> Option<&'a str> {
        self.cx.route().filter(|route| route.strip_path)?;
        let prefix = self.cx.matched.path.get(..self.cx.matched.prefix?)?;
        if matches!(prefix, "" | "/") { None } else { Some(prefix) }
    }
}

/// All lines of a header as one.
fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName, separator: &[u8]) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.get_all(name).into_iter();
    let first = lines.next()?;
    if lines.size_hint().1 == Some(0) {
        return Some(Cow::Borrowed(first.as_bytes()));
    }
    let mut all = first.as_bytes().to_vec();
    for line in lines {
        all.extend_from_slice(separator);
        all.extend_from_slice(line.as_bytes());
    }
    Some(Cow::Owned(all))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Request;
    use towergate_core::{Client, Matched, Plan, Protocol, Route, Scheme, Timing};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn names_of_our_own_are_spelled_as_what_they_are() {
        let own = [
            COOKIE,
            VIA,
            X_REAL_IP,
            X_FORWARDED_FOR,
            X_FORWARDED_PROTO,
            X_FORWARDED_HOST,
            X_FORWARDED_PORT,
            X_FORWARDED_PATH,
            X_FORWARDED_PREFIX,
            X_KONG_REQUEST_ID,
        ];
        for own in own {
            assert_eq!(own.written.parse::<HeaderName>().unwrap(), own.name);
        }
    }

    struct Case {
        trusted: bool,
        strip_path: bool,
        version: Version,
        settings: ProxySettings,
        length: Length,
    }

    impl Default for Case {
        fn default() -> Self {
            Self {
                trusted: false,
                strip_path: true,
                version: Version::HTTP_11,
                settings: ProxySettings { via_token: "kong/3.9.1".into(), ..Default::default() },
                length: Length::Known(0),
            }
        }
    }

    impl Case {
        /// What goes upstream of a request with these headers for `https://Shop.test:8443/api/v1/a%20b?q`,
        /// received on port 8443 from 203.0.113.9, speaking for 198.51.100.7, on a route with path `/api`.
        fn sends(&self, lines: &[(&str, &str)]) -> HeaderMap {
            let mut request = Request::get("/api/v1/a%20b?q").version(self.version).header("host", "Shop.test:8443");
            for (name, value) in lines {
                request = request.header(*name, *value);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            let client = Client {
                peer: Some("203.0.113.9:4000".parse().unwrap()),
                local: Some("192.0.2.1:8443".parse().unwrap()),
                address: Some("198.51.100.7".parse().unwrap()),
                trusted: self.trusted,
                scheme: Scheme::Https,
                ..Client::default()
            };
            let route = Route {
                id: Uuid::nil(),
                name: None,
                protocols: [Protocol::Http].into(),
                strip_path: self.strip_path,
                preserve_host: false,
                request_buffering: true,
                response_buffering: true,
                https_redirect_status_code: 426,
                tags: vec![],
            };
            let plan = Plan { route: Some(Arc::new(route)), ..Plan::default() };
            let mut cx = Context::new(client, &head, Timing::start(), Some(Arc::new(plan)));
            cx.host = "shop.test".into();
            cx.matched = Matched { path: "/api/v1/a b".into(), prefix: Some(4), ..Matched::default() };
            let forwarding = Forwarding::new(&self.settings);
            let mut sent = HeaderMap::new();
            sent.insert(header::HOST, HeaderValue::from_static(""));
            sent.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
            let said = forwarding.pass(&head, Wishes::of(&head.headers), &mut sent);
            match announced(&head.method, self.length, said.framed) {
                Announced::None => {}
                Announced::Known(bytes) => drop(sent.insert(header::CONTENT_LENGTH, bytes.into())),
                Announced::Unknown { .. } => {
                    drop(sent.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked")));
                }
            }
            forwarding.add(&cx, &head, &said, &mut sent);
            sent
        }

        /// The same, of one header: its lines joined by `|`.
        fn sends_of(&self, name: &str, lines: &[(&str, &str)]) -> String {
            let headers = self.sends(lines);
            let lines: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
            lines.join("|")
        }
    }

    #[test]
    fn who_asked_is_told_from_the_connection_unless_a_trusted_peer_tells() {
        let told = [("x-forwarded-proto", "gopher"), ("x-forwarded-host", "Told.test:1"), ("x-forwarded-port", "1")];
        let told = [&told[..], &[("x-forwarded-path", "/told"), ("x-forwarded-prefix", "/t")]].concat();
        for (name, own, of_trusted) in [
            ("x-forwarded-proto", "https", "gopher"),
            ("x-forwarded-host", "shop.test", "Told.test:1"),
            ("x-forwarded-port", "8443", "1"),
            ("x-forwarded-path", "/api/v1/a%20b", "/told"),
            ("x-forwarded-prefix", "/api", "/t"),
        ] {
            let (stranger, friend) = (Case::default(), Case { trusted: true, ..Case::default() });
            assert_eq!(stranger.sends_of(name, &[]), own);
            assert_eq!(stranger.sends_of(name, &told), own, "a stranger's word does not count");
            assert_eq!(friend.sends_of(name, &[]), own);
            assert_eq!(friend.sends_of(name, &told), of_trusted);
        }
    }

    #[test]
    fn names_with_underscores_are_no_way_round() {
        let names = ["x_real_ip", "x_forwarded_for", "x-forwarded_host", "x_forwarded-proto", "x_kong_request_id"];
        let framing = ["content_length", "transfer_encoding", "http2_settings", "proxy_connection", "keep_alive"];
        for name in names.iter().chain(&framing) {
            for trusted in [false, true] {
                let case = Case { trusted, ..Case::default() };
                assert_eq!(case.sends_of(name, &[(name, "spoofed")]), "", "{name}");
            }
        }
        assert_eq!(Case::default().sends_of("x_request_token", &[("x_request_token", "1")]), "1", "others pass");
    }

    #[test]
    fn a_prefix_is_told_only_if_one_was_taken_off() {
        let case = Case { strip_path: false, ..Case::default() };
        assert_eq!(case.sends_of("x-forwarded-prefix", &[("x-forwarded-prefix", "/spoofed")]), "");
    }

    #[test]
    fn addresses_are_continued_whoever_began() {
        for trusted in [false, true] {
            let case = Case { trusted, ..Case::default() };
            for (name, before, after) in [
                ("x-real-ip", &[] as &[_], "198.51.100.7"),
                ("x-real-ip", &["6.6.6.6"], "198.51.100.7"),
                ("x-forwarded-for", &[], "198.51.100.7"),
                ("x-forwarded-for", &["6.6.6.6"], "6.6.6.6, 203.0.113.9"),
                ("x-forwarded-for", &["6.6.6.6", "7.7.7.7, 8.8.8.8"], "6.6.6.6, 7.7.7.7, 8.8.8.8, 203.0.113.9"),
            ] {
                let lines: Vec<_> = before.iter().map(|value| (name, *value)).collect();
                assert_eq!(case.sends_of(name, &lines), after, "{before:?}");
            }
        }
    }

    #[test]
    fn via_names_the_version_received() {
        for (version, before, after) in [
            (Version::HTTP_10, None, "1.0 kong/3.9.1"),
            (Version::HTTP_11, None, "1.1 kong/3.9.1"),
            (Version::HTTP_2, None, "2 kong/3.9.1"),
            (Version::HTTP_11, Some("1.0 fred"), "1.0 fred, 1.1 kong/3.9.1"),
        ] {
            let lines: Vec<_> = before.map(|value| ("via", value)).into_iter().collect();
            assert_eq!(Case { version, ..Case::default() }.sends_of("via", &lines), after);
        }
        let silent = ProxySettings { via_token: String::new(), ..Default::default() };
        assert_eq!(Case { settings: silent, ..Case::default() }.sends_of("via", &[("via", "1.0 fred")]), "1.0 fred");
    }

    #[test]
    fn the_request_id_goes_upstream_if_set_so() {
        let spoofed = [("x-kong-request-id", "spoofed")];
        assert_eq!(Case::default().sends_of("x-kong-request-id", &spoofed).len(), 32);
        let settings = ProxySettings { headers_upstream_request_id: false, ..Default::default() };
        let case = Case { settings, ..Case::default() };
        assert_eq!(case.sends_of("x-kong-request-id", &spoofed), "spoofed", "nobody else's business then");
    }

    #[test]
    fn what_concerns_the_connection_stays_here_and_the_rest_is_kept_as_it_is() {
        let sent = Case::default().sends(&[
            ("accept", "a"),
            ("connection", "close, x-listed, x-consumer-username, content-length"),
            ("x-listed", "1"),
            ("x-consumer-username", "bob"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy", "http://evil.test"),
            ("te", "gzip"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAA"),
            ("expect", "100-continue"),
            ("transfer-encoding", "gzip, chunked"),
            ("under_score", "1"),
            ("accept", "b"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
        ]);
        let sent: Vec<_> = sent.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        let ours = sent.iter().position(|line| line.starts_with("content-length")).unwrap();
        assert_eq!(
            sent[..ours],
            [
                "host: ",
                "connection: keep-alive",
                "accept: a",
                "accept: b",
                "x-consumer-username: bob",
                "under_score: 1",
                "cookie: a=1",
                "cookie: b=2"
            ]
        );
        assert_eq!(sent[ours], "content-length: 0", "announced anew");
    }

    #[test]
    fn trailers_are_asked_for_only_if_the_client_does() {
        for (te, sent) in [("trailers", "trailers"), ("gzip, Trailers;q=1", "trailers"), ("gzip", ""), ("", "")] {
            assert_eq!(Case::default().sends_of("te", &[("te", te)]), sent);
        }
    }

    #[test]
    fn pieces_of_a_cookie_are_joined_for_http_1() {
        let lines = [("cookie", "a=1"), ("cookie", "b=2; c=3")];
        assert_eq!(Case { version: Version::HTTP_2, ..Case::default() }.sends_of("cookie", &lines), "a=1; b=2; c=3");
        assert_eq!(Case::default().sends_of("cookie", &lines), "a=1|b=2; c=3");
    }

    #[test]
    fn a_body_is_announced_by_what_it_is() {
        for (length, lines, content_length, encoding) in [
            (Length::Unknown, &[("content-length", "5")] as &[_], "", "chunked"),
            (Length::Known(3), &[("content-length", "5"), ("transfer-encoding", "chunked")], "3", ""),
            (Length::Known(0), &[], "", ""),
        ] {
            let case = Case { length, ..Case::default() };
            assert_eq!(case.sends_of("content-length", lines), content_length);
            assert_eq!(case.sends_of("transfer-encoding", lines), encoding);
        }
    }
}
