//! What is written of the request itself.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};
use towergate_core::{Context, Ended};

use super::{
    json::{Json, Pieces},
    redact::{REDACTED, Redact, decoded},
};

/// Kong reads no more arguments than these.
const MAX_ARGUMENTS: usize = 100;

/// The fields of `request`.
pub(super) fn write(json: &mut Json<'_>, cx: &Context, ended: &Ended, redact: Redact<'_>) {
    let target = redact.target(&ended.uri);
    json.key("id").text(cx.request_id.as_str().as_bytes());
    json.key("method").text(ended.method.as_str().as_bytes());
    json.key("uri").text(target.as_bytes());
    json.key("url").pieces(|pieces| {
        pieces.add(cx.client.scheme.as_str().as_bytes());
        pieces.add(b"://");
        pieces.add(cx.host.as_bytes());
        if let Some(local) = cx.client.local {
            pieces.add(b":");
            pieces.number(local.port());
        }
        pieces.add(target.as_bytes());
    });
    json.key("querystring").object(|json| query(json, ended.uri.query(), redact));
    json.key("headers").object(|json| {
        if let Some(sent) = cx.request_headers() {
            headers(json, sent, |name, value, json| json.text(&redact.header(name, value)));
        }
    });
    json.key("size").number(ended.received);
    if let Some(session) = cx.client.session {
        json.key("tls").object(|json| {
            json.key("version").text(session.version.as_bytes());
            json.key("cipher").text(session.cipher.as_bytes());
            // nginx's word where nobody has asked for a certificate or none was shown.
            let is_vouched = cx.identity().is_some_and(|identity| identity.vouched_identifier().is_some());
            let verify: &[u8] = match &cx.client.certificate {
                Some(_) if is_vouched => b"SUCCESS",
                Some(_) => b"FAILED:unable to verify the first certificate",
                None => b"NONE",
            };
            json.key("client_verify").text(verify);
        });
    }
}

/// The target as it went upstream, or would have.
pub(super) fn upstream_uri(pieces: &mut Pieces<'_, '_>, cx: &Context, ended: &Ended, redact: Redact<'_>) {
    let path = &cx.matched.upstream_path;
    pieces.add(path.as_bytes());
    if let Some(query) = ended.uri.query().filter(|_| !path.is_empty()) {
        pieces.add(b"?");
        pieces.add(redact.query(Some(query)).as_deref().unwrap_or(query).as_bytes());
    }
}

/// Arguments by name: a text, `true` for one without, a list if there are several.
fn query(json: &mut Json<'_>, query: Option<&str>, redact: Redact<'_>) {
    let Some(query) = query else { return };
    let arguments: Vec<(Cow<'_, str>, Option<Cow<'_, str>>)> = query
        .split('&')
        .filter(|argument| !argument.is_empty())
        .take(MAX_ARGUMENTS)
        .map(|argument| match argument.split_once('=') {
            Some((name, value)) => (decoded(name), Some(decoded(value))),
            None => (decoded(argument), None),
        })
        .collect();
    let value = |json: &mut Json<'_>, name: &str, value: &Option<Cow<'_, str>>| match value {
        Some(_) if redact.hides_argument(name) => json.text(REDACTED),
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
        json.key(name.as_str());
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
