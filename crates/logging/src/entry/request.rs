//! What is written of the request itself.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};
use towergate_core::{Context, Ended, Session};

use super::{
    json::{Json, Pieces, name},
    redact::{REDACTED, Redact, arguments},
};

/// Kong reads no more arguments than these.
const MAX_ARGUMENTS: usize = 100;

/// A request, and what of it may be shown.
pub(super) struct Asked<'a> {
    cx: &'a Context,
    ended: &'a Ended,
    redact: Redact<'a>,
    /// The query as it may be shown.
    query: Option<Cow<'a, str>>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(cx: &'a Context, ended: &'a Ended) -> Self {
        let (redact, query) = (Redact::of(cx), ended.uri.query());
        let shown = redact.query(query).map(Cow::Owned);
        Self { cx, ended, redact, query: shown.or(query.map(Cow::Borrowed)) }
    }

    /// The fields of `request`.
    pub(super) fn write(&self, json: &mut Json<'_>) {
        let Self { cx, ended, redact, .. } = self;
        json.key(name!("id")).text(cx.request_id.as_str().as_bytes());
        json.key(name!("method")).text(ended.method.as_str().as_bytes());
        // Without its quotes.
        let begin = json.key(name!("uri")).place().saturating_add(1);
        json.pieces(|pieces| self.target(ended.uri.path(), pieces));
        let uri = begin..json.place().saturating_sub(1);
        json.key(name!("url")).pieces(|pieces| {
            pieces.add(cx.client.scheme.as_str().as_bytes());
            pieces.add(b"://");
            pieces.add(cx.host.as_bytes());
            if let Some(local) = cx.client.local {
                pieces.add(b":");
                pieces.number(local.port());
            }
            pieces.again(uri);
        });
        json.key(name!("querystring")).object(|json| query(json, ended.uri.query(), *redact));
        json.key(name!("headers")).object(|json| {
            if let Some(sent) = cx.request_headers() {
                headers(json, sent, |name, value, json| json.text(&redact.header(name, value)));
            }
        });
        json.key(name!("size")).number(ended.received);
        if let Some(session) = cx.client.session {
            json.key(name!("tls")).object(|json| tls(json, cx, session));
        }
    }

    fn target(&self, path: &str, pieces: &mut Pieces<'_, '_>) {
        pieces.add(if path.is_empty() { b"/" } else { path.as_bytes() });
        if let Some(query) = &self.query {
            pieces.add(b"?");
            pieces.add(query.as_bytes());
        }
    }

    /// The target as it went upstream, or would have.
    pub(super) fn upstream_uri(&self, pieces: &mut Pieces<'_, '_>) {
        let path = &self.cx.matched.upstream_path;
        if !path.is_empty() {
            self.target(path, pieces);
        }
    }
}

fn tls(json: &mut Json<'_>, cx: &Context, session: Session) {
    json.key(name!("version")).plain(session.version.as_bytes());
    json.key(name!("cipher")).plain(session.cipher.as_bytes());
    // nginx's word where nobody has asked for a certificate or none was shown.
    let is_vouched = cx.identity().is_some_and(|identity| identity.vouched_identifier().is_some());
    let verify: &[u8] = match &cx.client.certificate {
        Some(_) if is_vouched => b"SUCCESS",
        Some(_) => b"FAILED:unable to verify the first certificate",
        None => b"NONE",
    };
    json.key(name!("client_verify")).plain(verify);
}

/// Arguments by name: a text, `true` for one without, a list if there are several.
fn query(json: &mut Json<'_>, query: Option<&str>, redact: Redact<'_>) {
    let Some(query) = query else { return };
    let arguments = arguments(query).filter(|argument| !argument.is_empty()).take(MAX_ARGUMENTS);
    let arguments: Vec<_> = arguments.map(|argument| (argument.name(), argument.value())).collect();
    let value = |json: &mut Json<'_>, name: &str, value: &Option<Cow<'_, str>>| match value {
        Some(_) if redact.hides_argument(name) => json.plain(REDACTED),
        Some(value) => json.text(value.as_bytes()),
        None => json.raw(b"true"),
    };
    for (nth, (name, first)) in arguments.iter().enumerate() {
        let same = || arguments.iter().enumerate().filter(|(_, (other, _))| other == name);
        if same().next().is_some_and(|(place, _)| place < nth) {
            continue;
        }
        json.foreign_key(name.as_bytes());
        if same().nth(1).is_none() {
            value(json, name, first);
            continue;
        }
        json.array(|json| same().for_each(|(_, (_, each))| value(json.next(), name, each)));
    }
}

/// Headers by name: a text, or a list if there are several lines.
pub(super) fn headers(
    json: &mut Json<'_>,
    headers: &HeaderMap,
    value: impl Fn(&HeaderName, &HeaderValue, &mut Json<'_>),
) {
    // Lines of one name follow each other.
    let mut lines = headers.iter().peekable();
    while let Some((name, first)) = lines.next() {
        json.header_key(name);
        if lines.peek().is_none_or(|(next, _)| *next != name) {
            value(name, first, json);
            continue;
        }
        json.array(|json| {
            value(name, first, json.next());
            while let Some((_, more)) = lines.next_if(|(next, _)| *next == name) {
                value(name, more, json.next());
            }
        });
    }
}
