//! From the bytes of a request's head to the request.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri, Version, request::Parts};

use super::{
    Fault, Malformed,
    scan::{Scan, is_method_byte},
};
use crate::{
    fields::{self, FieldError, Lines, trim},
    find::find,
    spare,
    spelling::Spelling,
};

/// A request's head, and what it says about the connection.
#[derive(Debug)]
pub(super) struct RequestHead {
    pub(super) parts: Parts,
    pub(super) facts: Facts,
}

/// What a request's head says about the connection and about its own body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) length: Length,
    /// Whether the connection may be used again.
    pub(super) is_kept: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(super) is_continue_expected: bool,
    /// Whether the client wants to switch protocols.
    pub(super) is_upgrade: bool,
    /// Whether the client takes trailers.
    pub(super) are_trailers_taken: bool,
}

/// How long a request's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Exact(u64),
    Chunked,
}

/// Reads a head: all bytes up to and with the empty line.
///
/// Lines may end in a bare LF, as in nginx. Nothing else is taken that RFC 9112 does not allow. `scan` has found its end.
pub(super) fn read(head: &Bytes, scan: &Scan) -> Result<RequestHead, Malformed> {
    let (mut lines, header_lines) = (scan.lines(head), scan.header_lines());
    let mut parts = Request::new(()).into_parts().0;
    if let Err(fault) = read_line(head, lines.next().unwrap_or_default(), &mut parts) {
        return Err(Malformed::new(fault, parts));
    }
    let mut fields = Fields::default();
    parts.headers = spare::headers(header_lines.saturating_add(ADDED)).unwrap_or_default();
    parts.extensions = spare::extensions();
    for line in lines {
        if let Err(fault) = fields.read(head, line, &mut parts.headers) {
            return Err(Malformed::new(fault, parts));
        }
    }
    if !fields.spelling.is_empty() {
        parts.extensions.insert(std::mem::take(&mut fields.spelling));
    }
    match fields.facts(parts.version) {
        Ok(facts) => Ok(RequestHead { parts, facts }),
        Err(fault) => Err(Malformed::new(fault, parts)),
    }
}

/// What can be told of a head that is too long to be read: its method and target.
pub(super) fn read_beginning(bytes: &Bytes) -> Parts {
    let mut parts = Request::new(()).into_parts().0;
    if bytes.contains(&b'\n') {
        let line = Lines::of(bytes).next().unwrap_or_default();
        let _ = read_line(bytes, line, &mut parts);
    }
    parts
}

/// How many header lines a gateway adds. A map that is larger than need be costs something, one that has to grow much more.
const ADDED: usize = 3;

/// `GET /path HTTP/1.1`, with one space each.
fn read_line(head: &Bytes, line: &[u8], parts: &mut Parts) -> Result<(), Fault> {
    let (method, rest) = split(line, b' ').ok_or(Fault::RequestLine)?;
    parts.method = read_method(method)?;
    let (target, version) = split(rest, b' ').ok_or(Fault::RequestLine)?;
    parts.version = read_version(version)?;
    parts.uri = read_target(head, target, &parts.method)?;
    Ok(())
}

fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (before, after) = bytes.split_at_checked(find(at, bytes)?)?;
    Some((before, after.get(1..)?))
}

/// Methods are case-sensitive; those that nginx takes have no small letters, digits or other marks.
fn read_method(bytes: &[u8]) -> Result<Method, Fault> {
    if bytes == b"GET" {
        return Ok(Method::GET);
    }
    if !bytes.iter().all(|byte| is_method_byte(*byte)) {
        return Err(Fault::RequestLine);
    }
    Method::from_bytes(bytes).map_err(|_| Fault::RequestLine)
}

/// A later minor version is read as the latest that we know (RFC 9110, section 2.5).
fn read_version(bytes: &[u8]) -> Result<Version, Fault> {
    match bytes.strip_prefix(b"HTTP/").ok_or(Fault::RequestLine)? {
        b"1.1" => Ok(Version::HTTP_11),
        b"1.0" => Ok(Version::HTTP_10),
        [b'1', b'.', b'2'..=b'9'] | [b'1', b'.', b'1'..=b'9', b'0'..=b'9'] => Ok(Version::HTTP_11),
        [b'2'..=b'9', rest @ ..] if rest.iter().all(|byte| matches!(byte, b'.' | b'0'..=b'9')) => Err(Fault::Version),
        _ => Err(Fault::RequestLine),
    }
}

fn read_target(head: &Bytes, target: &[u8], method: &Method) -> Result<Uri, Fault> {
    if target.is_empty() {
        return Err(Fault::RequestLine);
    }
    let uri = Uri::from_maybe_shared(head.slice_ref(target)).map_err(|_| Fault::RequestLine)?;
    // `example.com:80` is for tunnels alone.
    let is_authority = uri.authority().is_some() && uri.scheme().is_none();
    if is_authority && *method != Method::CONNECT { Err(Fault::RequestLine) } else { Ok(uri) }
}

/// What the header lines say, while they are read.
#[derive(Debug, Default)]
struct Fields {
    spelling: Spelling,
    lengths: usize,
    length: Option<u64>,
    codings: usize,
    is_chunked: bool,
    is_close: bool,
    is_keep_alive: bool,
    is_upgrade: bool,
    has_upgrade: bool,
    is_continue_expected: bool,
    are_trailers_taken: bool,
}

impl Fields {
    fn read(&mut self, head: &Bytes, line: &[u8], headers: &mut HeaderMap) -> Result<(), Fault> {
        let (written, value) = fields::split(line).ok_or(Fault::Header)?;
        self.note(written, value)?;
        fields::put(head, written, value, headers, &mut self.spelling).map_err(|error| match error {
            FieldError::Line => Fault::Header,
            FieldError::TooLarge => Fault::HeadTooLarge,
        })
    }

    /// Keeps what concerns the connection. Most names are told apart by their length alone.
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            2 if is("te") => {
                self.are_trailers_taken |= tokens(value).any(|token| token.eq_ignore_ascii_case(b"trailers"))
            }
            6 if is("expect") => self.is_continue_expected |= value.eq_ignore_ascii_case(b"100-continue"),
            7 if is("upgrade") => self.has_upgrade = true,
            10 if is("connection") => self.note_connection(value),
            14 if is("content-length") => {
                self.lengths = self.lengths.saturating_add(1);
                self.length = Some(decimal(value).ok_or(Fault::Framing)?);
            }
            17 if is("transfer-encoding") => {
                self.codings = self.codings.saturating_add(1);
                self.is_chunked = value.eq_ignore_ascii_case(b"chunked");
            }
            _ => {}
        }
        Ok(())
    }

    fn note_connection(&mut self, value: &[u8]) {
        for token in tokens(value) {
            self.is_close |= token.eq_ignore_ascii_case(b"close");
            self.is_keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
            self.is_upgrade |= token.eq_ignore_ascii_case(b"upgrade");
        }
    }

    fn facts(&self, version: Version) -> Result<Facts, Fault> {
        let is_old = version == Version::HTTP_10;
        Ok(Facts {
            length: self.framing(is_old)?,
            is_kept: !self.is_close && (!is_old || self.is_keep_alive),
            is_continue_expected: self.is_continue_expected && !is_old,
            is_upgrade: self.is_upgrade && self.has_upgrade && !is_old,
            are_trailers_taken: self.are_trailers_taken && !is_old,
        })
    }

    /// The body's length. What anyone along the way could read in another way is refused, also where
    /// RFC 9112 has a rule for it.
    fn framing(&self, is_old: bool) -> Result<Length, Fault> {
        match (self.lengths, self.codings) {
            (0, 0) => Ok(Length::Exact(0)),
            (1, 0) => Ok(Length::Exact(self.length.unwrap_or_default())),
            (0, 1) if is_old => Err(Fault::Framing),
            (0, 1) if self.is_chunked => Ok(Length::Chunked),
            (0, 1) => Err(Fault::TransferCoding),
            _ => Err(Fault::Framing),
        }
    }
}

/// The parts of a list.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim)
}

/// A number of digits alone.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn head(text: impl AsRef<[u8]>) -> Result<RequestHead, Fault> {
        read(&Bytes::copy_from_slice(text.as_ref()), &Scan::default()).map_err(|malformed| malformed.fault())
    }

    /// What the head of a `POST` with these header lines says.
    fn facts(lines: &str) -> Result<Facts, Fault> {
        head(format!("POST / HTTP/1.1\r\n{lines}\r\n")).map(|head| head.facts)
    }

    #[test]
    fn a_head_is_read_as_it_stands() {
        let bytes = Bytes::from_static(
            b"POST /a/b?c=%20d HTTP/1.1\r\nHost: example.com\r\nX-A:\t a b \t\r\nx-a: c\nX-Empty:\r\nX-Utf8: \xc3\xa9\r\n\r\n",
        );
        let RequestHead { parts, facts } = read(&bytes, &Scan::default()).unwrap();
        assert_eq!((&parts.method, parts.uri.path(), parts.uri.query()), (&Method::POST, "/a/b", Some("c=%20d")));
        assert_eq!(parts.version, Version::HTTP_11);
        assert_eq!(parts.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["a b", "c"]);
        assert_eq!(
            (&parts.headers["x-empty"], parts.headers["x-utf8"].as_bytes()),
            (&"".parse().unwrap(), "é".as_bytes())
        );
        assert_eq!(parts.headers.len(), 5);
        assert_eq!((facts.length, facts.is_kept), (Length::Exact(0), true));
        let spelling = parts.extensions.get::<Spelling>().unwrap();
        assert_eq!(spelling.of(&HeaderName::from_static("x-a")), Some(&b"x-a"[..]));
        let within = bytes.as_ptr_range();
        assert!(within.contains(&parts.headers["host"].as_bytes().as_ptr()), "values are not copied");
        assert!(within.contains(&parts.uri.path().as_ptr()), "nor is the target");
    }

    #[test]
    fn usual_names_leave_no_trace() {
        let head = head("GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\nX-Forwarded-For: c\r\n\r\n").unwrap();
        assert!(head.parts.extensions.is_empty());
    }

    #[test]
    fn targets_have_four_forms() {
        for (line, scheme, authority, path) in [
            ("GET / HTTP/1.1", None, None, "/"),
            ("GET //a/../b?c HTTP/1.1", None, None, "//a/../b"),
            ("OPTIONS * HTTP/1.1", None, None, "*"),
            ("GET http://a.example:81/b?c HTTP/1.0", Some("http"), Some("a.example:81"), "/b"),
            ("GET https://a.example HTTP/1.1", Some("https"), Some("a.example"), "/"),
            ("CONNECT a.example:443 HTTP/1.1", None, Some("a.example:443"), ""),
            ("M-SEARCH /x HTTP/1.7", None, None, "/x"),
        ] {
            let uri = head(format!("{line}\r\n\r\n")).unwrap_or_else(|fault| panic!("{line}: {fault:?}")).parts.uri;
            let found = (uri.scheme_str(), uri.authority().map(|authority| authority.as_str()), uri.path());
            assert_eq!(found, (scheme, authority, path), "{line}");
        }
    }

    #[test]
    fn malformed_request_lines() {
        for line in [
            "GET",
            "GET /",
            "GET  / HTTP/1.1",
            "GET /  HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET / HTTP/1.1 x",
            " GET / HTTP/1.1",
            "GET\t/ HTTP/1.1",
            "GET / HTTP/1.",
            "GET / HTTP/1",
            "GET / HTTP/1.a",
            "GET / HTTP/1.01",
            "GET / HTTP/1.100",
            "GET / HTTP/0.9",
            "GET / HTTP/x",
            "GET / http/1.1",
            "GET / FTP/1.1",
            "get / HTTP/1.1",
            "G(T / HTTP/1.1",
            "/ HTTP/1.1",
            "GET no-slash HTTP/1.1",
            "GET a.example:80 HTTP/1.1",
            "GET /a\x01b HTTP/1.1",
            "GET /a\rb HTTP/1.1",
            "GET /a\0b HTTP/1.1",
            "GET /a\x7fb HTTP/1.1",
            "GET ?a HTTP/1.1",
        ] {
            let fault = head(format!("{line}\r\nHost: a\r\n\r\n")).unwrap_err();
            assert_eq!(fault, Fault::RequestLine, "{line:?}");
        }
        for version in ["HTTP/2.0", "HTTP/2", "HTTP/3.0", "HTTP/9.9"] {
            assert_eq!(head(format!("GET / {version}\r\n\r\n")).unwrap_err(), Fault::Version, "{version}");
        }
    }

    #[test]
    fn malformed_header_lines() {
        for line in [
            "no colon",
            "X-A : 1",
            ": nameless",
            "X(A: 1",
            "X A: 1",
            " X-A: 1",
            "\tX-A: 1",
            "X-A: 1\r\n folded",
            "X-A: 1\r\n\tfolded",
            "X-A: a\0b",
            "X-A: a\rb",
            "X-A: a\x01b",
            "X-A: a\x7fb",
            "X-A: a\x0bb",
            "X-\u{e9}: 1",
            "\0: 1",
            "X-A: \x1b[2J",
            "X-A\r: 1",
            "X-A: a\r\r\nX-B: b",
        ] {
            let fault = facts(&format!("Host: a\r\n{line}\r\n")).unwrap_err();
            assert_eq!(fault, Fault::Header, "{line:?}");
        }
    }

    #[test]
    fn a_body_has_one_length_or_the_chunked_coding() {
        let length = |lines: &str| facts(lines).map(|facts| facts.length);
        for (lines, expected) in [
            ("", Ok(Length::Exact(0))),
            ("Content-Length: 0\r\n", Ok(Length::Exact(0))),
            ("content-length:\t42 \r\n", Ok(Length::Exact(42))),
            ("Content-Length: 007\r\n", Ok(Length::Exact(7))),
            ("Content-Length: 18446744073709551615\r\n", Ok(Length::Exact(u64::MAX))),
            ("Transfer-Encoding: chunked\r\n", Ok(Length::Chunked)),
            ("TRANSFER-ENCODING: Chunked\r\n", Ok(Length::Chunked)),
            ("Content-Length: 18446744073709551616\r\n", Err(Fault::Framing)),
            ("Content-Length:\r\n", Err(Fault::Framing)),
            ("Content-Length: +5\r\n", Err(Fault::Framing)),
            ("Content-Length: -5\r\n", Err(Fault::Framing)),
            ("Content-Length: 0x5\r\n", Err(Fault::Framing)),
            ("Content-Length: 5 5\r\n", Err(Fault::Framing)),
            ("Content-Length: 5,\r\n", Err(Fault::Framing)),
            ("Content-Length: 5, 5\r\n", Err(Fault::Framing)),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", Err(Fault::Framing)),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", Err(Fault::Framing)),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Err(Fault::Framing)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Err(Fault::Framing)),
            ("Content-Length: 5\r\nTransfer-Encoding: gzip\r\n", Err(Fault::Framing)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(Fault::Framing)),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Err(Fault::Framing)),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(Fault::TransferCoding)),
            ("Transfer-Encoding: chunked, chunked\r\n", Err(Fault::TransferCoding)),
            ("Transfer-Encoding: ,chunked\r\n", Err(Fault::TransferCoding)),
            ("Transfer-Encoding: chunked,\r\n", Err(Fault::TransferCoding)),
            ("Transfer-Encoding: xchunked\r\n", Err(Fault::TransferCoding)),
            ("Transfer-Encoding: identity\r\n", Err(Fault::TransferCoding)),
            ("Transfer-Encoding: chunked;q=1\r\n", Err(Fault::TransferCoding)),
            ("Transfer-Encoding: \"chunked\"\r\n", Err(Fault::TransferCoding)),
            ("Transfer-Encoding:\r\n", Err(Fault::TransferCoding)),
            ("Transfer-Encoding: \x0bchunked\r\n", Err(Fault::Header)),
        ] {
            assert_eq!(length(lines), expected, "{lines:?}");
        }
        assert_eq!(head("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap_err(), Fault::Framing);
    }

    #[test]
    fn the_connection_is_kept_or_not() {
        let kept = |version: &str, lines: &str| head(format!("GET / {version}\r\n{lines}\r\n")).unwrap().facts.is_kept;
        for (version, lines, expected) in [
            ("HTTP/1.1", "", true),
            ("HTTP/1.1", "Connection: close\r\n", false),
            ("HTTP/1.1", "Connection: x, CLOSE\r\n", false),
            ("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
            ("HTTP/1.1", "Connection: closed\r\n", true),
            ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
            ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
        ] {
            assert_eq!(kept(version, lines), expected, "{version} {lines:?}");
        }
    }

    #[test]
    fn wishes_count_when_they_are_whole_and_of_http_1_1() {
        let wishes = |facts: Facts| [facts.is_continue_expected, facts.is_upgrade, facts.are_trailers_taken];
        let lines = "Expect: 100-Continue\r\nConnection: te, Upgrade\r\nUpgrade: websocket\r\nTE: gzip, Trailers\r\n";
        assert_eq!(wishes(facts(lines).unwrap()), [true; 3]);
        assert_eq!(wishes(head(format!("GET / HTTP/1.0\r\n{lines}\r\n")).unwrap().facts), [false; 3]);
        assert_eq!(wishes(facts("Expect: x\r\nUpgrade: websocket\r\nTE: gzip\r\n").unwrap()), [false; 3]);
        assert_eq!(wishes(facts("Connection: upgrade\r\n").unwrap()), [false; 3]);
    }

    #[test]
    fn what_was_read_before_a_fault_is_told() {
        let malformed =
            read(&Bytes::from_static(b"PUT /a HTTP/1.1\r\nAccept: text/html\r\nX A: b\r\n\r\n"), &Scan::default())
                .unwrap_err();
        let known = malformed.into_head();
        assert_eq!(
            (&known.method, known.uri.path(), &known.headers["accept"]),
            (&Method::PUT, "/a", &"text/html".parse().unwrap())
        );
        let long = Bytes::from_static(b"PUT /a HTTP/1.1\r\nX-A: aaaaaaaaaa");
        assert_eq!(read_beginning(&long).uri, "/a");
        assert_eq!(read_beginning(&Bytes::from_static(b"PUT /aaaaaaa")).uri, "/");
    }
}
