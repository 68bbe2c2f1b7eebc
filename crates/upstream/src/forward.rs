//! The head of a request as it goes upstream.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header, request::Parts};
use towergate_core::{Context, SetHeaders};
use towergate_http1::client::{Length as Announced, Lines as WrittenLines};

use crate::{client_lines, hop, request_body::Length, settings::ProxySettings, text::Text};

const COOKIE: Own = Own::new("cookie", "Cookie");
const VIA: Own = Own::new("via", "Via");
pub(crate) const X_REAL_IP: Own = Own::new("x-real-ip", "X-Real-IP");
pub(crate) const X_FORWARDED_FOR: Own = Own::new("x-forwarded-for", "X-Forwarded-For");
pub(crate) const X_FORWARDED_PROTO: Own = Own::new("x-forwarded-proto", "X-Forwarded-Proto");
const X_FORWARDED_HOST: Own = Own::new("x-forwarded-host", "X-Forwarded-Host");
pub(crate) const X_FORWARDED_PORT: Own = Own::new("x-forwarded-port", "X-Forwarded-Port");
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

    /// Lines that are written already; `false` if they are of no use here.
    fn put_written(&mut self, _: &WrittenLines) -> bool {
        false
    }
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
    /// What plugins have `set` takes the place of what the client says.
    pub(crate) fn pass<'a>(&self, head: &'a Parts, set: &SetHeaders, wishes: Wishes, sink: &mut impl Sink) -> Said<'a> {
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
            if !(dropped || crumbs && *name == header::COOKIE || set.replaces(name)) {
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
    let is_first = said.forwarded_for.first.is_none();
    let written = if is_first { client_lines::with(client, |lines| sink.put_written(&lines.addresses)) } else { None };
    let is_written = written == Some(true);
    if !is_written {
        addresses(cx, head, said, sink);
    }
    let mut tell = Telling { cx, head, sink };
    if !is_written {
        tell.say(&X_FORWARDED_PROTO, |_| Some(client.scheme.as_str().into()));
    }
    tell.say(&X_FORWARDED_HOST, |tell| tell.host_without_port());
    if is_written {
        client_lines::with(client, |lines| tell.sink.put_written(&lines.port));
    } else if !tell.repeat(&X_FORWARDED_PORT)
        && let Some(local) = client.local
    {
        tell.sink.put(&X_FORWARDED_PORT, &[Text::number(local.port().into()).as_bytes()]);
    }
    tell.say(&X_FORWARDED_PATH, |tell| Some(tell.head.uri.path().into()));
    tell.say(&X_FORWARDED_PREFIX, |tell| tell.stripped_prefix().map(Cow::Borrowed));
}

/// Tells the client's address, and those it says it speaks for.
fn addresses(cx: &Context, head: &Parts, said: &Said<'_>, sink: &mut impl Sink) {
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
mod tests;
