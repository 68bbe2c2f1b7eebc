//! A response's head, as it is written.

use http::{HeaderMap, StatusCode, header, response::Parts};

use super::{
    date,
    output::Encoder,
    own_lines::{Lines, OwnLines, decimal},
    request_head::Facts,
};
use crate::spelling::{Spelling, put_name};

/// What the request says about its response.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Asked {
    pub(super) is_head: bool,
    pub(super) is_old: bool,
    /// Whether the connection may be used again.
    pub(super) is_kept: bool,
    pub(super) are_trailers_taken: bool,
}

impl Asked {
    pub(super) fn new(head: &http::request::Parts, facts: Option<&Facts>) -> Self {
        Self {
            is_head: head.method == http::Method::HEAD,
            is_old: head.version == http::Version::HTTP_10,
            is_kept: facts.is_some_and(|facts| facts.is_kept),
            are_trailers_taken: facts.is_some_and(|facts| facts.are_trailers_taken),
        }
    }
}

/// Writes the head of a response whose body is so long, with the service's own lines; decides about framing, and in
/// `asked.is_kept` whether the connection may be used again.
pub(super) fn put(
    out: &mut Vec<u8>,
    head: &Parts,
    exact: Option<u64>,
    asked: &mut Asked,
    mut own: impl OwnLines,
) -> Encoder {
    let begin = out.len();
    put_status(out, head.status);
    let seen = put_fields(out, head, &mut own);
    own.add(&mut Lines::to(out));
    let declared = || if seen.has_length { declared(&head.headers) } else { None };
    let encoder = encoder(head.status, declared, exact, asked);
    let is_close_asked = seen.has_connection && is_close_asked(&head.headers);
    asked.is_kept &= encoder != Encoder::UntilClose && !is_close_asked;
    if !seen.has_date {
        out.extend_from_slice(b"Date: ");
        date::put_now(out);
        out.extend_from_slice(b"\r\n");
    }
    match encoder {
        Encoder::Length(length) => put_length(out, length),
        Encoder::Chunked { .. } => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Encoder::Bodiless => {
            if let Some(length) = length_without_body(head.status, declared(), exact) {
                put_length(out, length);
            }
        }
        Encoder::UntilClose | Encoder::Ended => {}
    }
    put_connection(out, seen.has_connection.then_some(&head.headers), asked);
    out.extend_from_slice(b"\r\n");
    own.written(out.len().saturating_sub(begin));
    encoder
}

/// Which headers a response has of those that decide something: so that they need not be looked up.
#[derive(Debug, Default)]
struct Seen {
    has_length: bool,
    has_connection: bool,
    has_date: bool,
}

fn encoder(status: StatusCode, declared: impl Fn() -> Option<u64>, exact: Option<u64>, asked: &Asked) -> Encoder {
    if asked.is_head || is_bodiless(status) || status == StatusCode::NOT_MODIFIED {
        return Encoder::Bodiless;
    }
    match exact.or_else(declared) {
        Some(length) => Encoder::Length(length),
        None if asked.is_old => Encoder::UntilClose,
        None => Encoder::Chunked { trailers: asked.are_trailers_taken },
    }
}

/// Statuses that never come with a body nor with its length.
fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT
}

/// The length that a body would have had.
fn length_without_body(status: StatusCode, declared: Option<u64>, exact: Option<u64>) -> Option<u64> {
    if is_bodiless(status) {
        return None;
    }
    // An empty body of a response that has none says nothing.
    declared.or(exact.filter(|exact| *exact > 0 && status != StatusCode::NOT_MODIFIED))
}

/// What `Content-Length` says, if it is one number.
fn declared(headers: &HeaderMap) -> Option<u64> {
    let mut lines = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = super::request_head::decimal(lines.next()?.as_bytes())?;
    lines.next().is_none().then_some(length)
}

fn put_status(out: &mut Vec<u8>, status: StatusCode) {
    if status == StatusCode::OK {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes what is not about framing and the connection.
fn put_fields(out: &mut Vec<u8>, head: &Parts, own: &mut impl OwnLines) -> Seen {
    let (spelling, mut seen) = (head.extensions.get::<Spelling>(), Seen::default());
    for (name, value) in &head.headers {
        match *name {
            header::CONTENT_LENGTH => seen.has_length = true,
            header::CONNECTION => seen.has_connection = true,
            header::DATE => seen.has_date = true,
            _ => {}
        }
        let is_decided = matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION);
        if is_decided || !own.pass(name, value) {
            continue;
        }
        put_name(out, name, spelling);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    seen
}

fn put_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    out.extend_from_slice(decimal(length, &mut [0; 20]));
    out.extend_from_slice(b"\r\n");
}

/// What the service says about the connection, in tokens.
fn connection(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::CONNECTION).iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

fn is_close_asked(headers: &HeaderMap) -> bool {
    connection(headers).any(|token| token.eq_ignore_ascii_case(b"close"))
}

/// What else the service says (in `headers`, if anything) stays, whether the connection is kept is said here.
fn put_connection(out: &mut Vec<u8>, headers: Option<&HeaderMap>, asked: &Asked) {
    let ours: &[u8] = match asked.is_kept {
        false => b"close",
        true if asked.is_old => b"keep-alive",
        true => b"",
    };
    let is_decided = |token: &[u8]| token.eq_ignore_ascii_case(b"close") || token.eq_ignore_ascii_case(b"keep-alive");
    let others = headers.into_iter().flat_map(connection).filter(|token| !token.is_empty() && !is_decided(token));
    let mut begins = true;
    for token in others.chain((!ours.is_empty()).then_some(ours)) {
        out.extend_from_slice(if begins { b"Connection: " } else { b", " });
        out.extend_from_slice(token);
        begins = false;
    }
    if !begins {
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;
    use crate::server::NoLines;

    const ASKED: Asked = Asked { is_head: false, is_old: false, is_kept: true, are_trailers_taken: false };

    /// The head that is written, without its date, the encoder, and whether the connection is kept.
    fn written(status: u16, headers: &[(&str, &str)], exact: Option<u64>, mut asked: Asked) -> (String, Encoder, bool) {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let (head, ()) = response.body(()).unwrap().into_parts();
        let mut out = Vec::new();
        let encoder = put(&mut out, &head, exact, &mut asked, NoLines);
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect();
        (lines.concat(), encoder, asked.is_kept)
    }

    #[test]
    fn framing_follows_the_body() {
        let old = Asked { is_old: true, ..ASKED };
        let head = Asked { is_head: true, ..ASKED };
        let chunked = Encoder::Chunked { trailers: false };
        let length = |length: &'static str| [("content-length", length)];
        for (status, headers, exact, asked, lines, encoder) in [
            (200, &[][..], Some(5), ASKED, "Content-Length: 5\r\n", Encoder::Length(5)),
            (200, &[], Some(0), ASKED, "Content-Length: 0\r\n", Encoder::Length(0)),
            (200, &[], Some(u64::MAX), ASKED, "Content-Length: 18446744073709551615\r\n", Encoder::Length(u64::MAX)),
            (200, &[], None, ASKED, "Transfer-Encoding: chunked\r\n", chunked),
            (200, &[("transfer-encoding", "gzip")], None, ASKED, "Transfer-Encoding: chunked\r\n", chunked),
            (200, &length("7"), None, ASKED, "Content-Length: 7\r\n", Encoder::Length(7)),
            (200, &length("7"), Some(5), ASKED, "Content-Length: 5\r\n", Encoder::Length(5)),
            (200, &length("+7"), None, ASKED, "Transfer-Encoding: chunked\r\n", chunked),
            (200, &[], None, old, "Connection: close\r\n", Encoder::UntilClose),
            (200, &[], Some(5), old, "Content-Length: 5\r\nConnection: keep-alive\r\n", Encoder::Length(5)),
            (200, &[], None, head, "", Encoder::Bodiless),
            (200, &[], Some(0), head, "", Encoder::Bodiless),
            (200, &[], Some(5), head, "Content-Length: 5\r\n", Encoder::Bodiless),
            (200, &length("7"), Some(0), head, "Content-Length: 7\r\n", Encoder::Bodiless),
            (204, &length("7"), Some(7), ASKED, "", Encoder::Bodiless),
            (304, &length("7"), Some(0), ASKED, "Content-Length: 7\r\n", Encoder::Bodiless),
            (304, &[], Some(0), ASKED, "", Encoder::Bodiless),
        ] {
            let (text, found, _) = written(status, headers, exact, asked);
            let (_, fields) = text.split_once("\r\n").unwrap();
            assert_eq!((fields, found), (format!("{lines}\r\n").as_str(), encoder), "{status} {headers:?} {exact:?}");
        }
    }

    #[test]
    fn statuses_have_their_reasons() {
        for (status, line) in [(200, "200 OK"), (404, "404 Not Found"), (494, "494 "), (999, "999 ")] {
            let (text, ..) = written(status, &[], Some(0), ASKED);
            assert_eq!(text.lines().next(), Some(format!("HTTP/1.1 {line}").as_str()));
        }
    }

    #[test]
    fn the_connection_header_says_what_happens() {
        let gone = Asked { is_kept: false, ..ASKED };
        for (headers, asked, line, kept) in [
            (&[][..], ASKED, "", true),
            (&[], gone, "Connection: close\r\n", false),
            (&[("connection", "Close")], ASKED, "Connection: close\r\n", false),
            (&[("connection", "keep-alive")], gone, "Connection: close\r\n", false),
            (&[("connection", "Upgrade")], ASKED, "Connection: Upgrade\r\n", true),
            (
                &[("connection", "Upgrade, x"), ("connection", "close")],
                ASKED,
                "Connection: Upgrade, x, close\r\n",
                false,
            ),
        ] {
            let (text, _, is_kept) = written(200, headers, Some(0), asked);
            let (_, fields) = text.split_once("Content-Length: 0\r\n").unwrap();
            assert_eq!((fields, is_kept), (format!("{line}\r\n").as_str(), kept), "{headers:?}");
        }
    }

    #[test]
    fn names_are_spelt_as_usual_or_as_remembered() {
        let (mut head, ()) = Response::builder()
            .header("x-a", "1")
            .header("x-b", "2")
            .header("date", "now")
            .body(())
            .unwrap()
            .into_parts();
        let mut spelling = Spelling::new();
        spelling.remember(&http::HeaderName::from_static("x-b"), bytes::Bytes::from_static(b"x-B"));
        head.extensions.insert(spelling);
        let mut out = Vec::new();
        put(&mut out, &head, Some(0), &mut ASKED.clone(), NoLines);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "HTTP/1.1 200 OK\r\nX-A: 1\r\nx-B: 2\r\nDate: now\r\nContent-Length: 0\r\n\r\n");
    }
}
