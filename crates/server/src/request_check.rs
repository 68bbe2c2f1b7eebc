//! What is refused before anything else looks at a request, in one place.
//!
//! The head has been read by then; what is no HTTP at all is refused in the same words as what is
//! refused here. What is well formed, and yet an upstream might read it differently than we do, ends
//! here.

use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header, request::Parts, uri::PathAndQuery};
use towergate_core::{Asking, Reply};
use towergate_http1::server::Fault;
use towergate_router::{path, split_host};

use crate::config::Limits;

/// What a request asks for, in the one reading that routing, guards and upstream share.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The host, without port, lower case; empty if an HTTP/1.0 request names none.
    pub(crate) host: String,
    /// The port beside the host.
    pub(crate) port: Option<u16>,
    /// The path, normalised.
    pub(crate) path: String,
    /// What its context keeps of its headers.
    pub(crate) asking: Asking,
    /// Whether it says something about its connection.
    pub(crate) has_connection: bool,
}

/// The headers that decide something before a request goes on, found in one pass over all of them.
#[derive(Debug, Default)]
struct Found<'a> {
    host: Option<&'a HeaderValue>,
    length: Option<&'a HeaderValue>,
    coding: Option<&'a HeaderValue>,
    has_authorization: bool,
    has_connection: bool,
    /// Whether there are several of what there may be only one of: whoever reads the first and whoever reads the last would
    /// see different requests.
    is_ambiguous: bool,
    asking: Asking,
}

impl<'a> Found<'a> {
    fn note(&mut self, name: &HeaderName, value: &'a HeaderValue) {
        let before = match *name {
            header::HOST => self.host.replace(value).is_some(),
            header::CONTENT_LENGTH => self.length.replace(value).is_some(),
            header::AUTHORIZATION => std::mem::replace(&mut self.has_authorization, true),
            header::TRANSFER_ENCODING => self.coding.replace(value).is_some(),
            header::CONNECTION => {
                self.has_connection = true;
                false
            }
            _ => {
                self.asking.note(name, value);
                false
            }
        };
        self.is_ambiguous |= before;
    }
}

/// Why a request may not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Malformed, or to be read in two ways: 400.
    Bad,
    /// A method that is never proxied: 405.
    Method,
    /// A body longer than `client_max_body_size`: 413.
    BodyTooLong,
    /// A request line that is too long: 414.
    LineTooLong,
    /// A header line that is too long: nginx's own 494, which clients see as 400.
    HeaderTooLong,
    /// More header lines than a request may have: 431.
    TooManyHeaders,
    /// A transfer coding other than `chunked`: 501.
    Coding,
    /// HTTP in cleartext where TLS is spoken: nginx's own 497, which clients see as 400.
    Cleartext,
    /// A version of HTTP that is not spoken: 505.
    Version,
}

impl Refusal {
    /// The answer.
    pub(crate) fn reply(self) -> Reply {
        match self {
            Self::Bad => Reply::fault(StatusCode::BAD_REQUEST),
            Self::Method => Reply::fault(StatusCode::METHOD_NOT_ALLOWED),
            Self::BodyTooLong => Reply::fault(StatusCode::PAYLOAD_TOO_LARGE),
            Self::LineTooLong => Reply::fault(StatusCode::URI_TOO_LONG),
            Self::HeaderTooLong => Reply::fault(header_too_long()),
            Self::TooManyHeaders => Reply::fault(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Self::Coding => Reply::page(StatusCode::NOT_IMPLEMENTED),
            Self::Cleartext => Reply::raw(StatusCode::BAD_REQUEST, HeaderValue::from_static("text/html"), CLEARTEXT),
            Self::Version => Reply::page(StatusCode::HTTP_VERSION_NOT_SUPPORTED),
        }
    }

    /// Whether the connection is closed after the answer. nginx does not trust what comes after a
    /// request it could not make sense of.
    pub(crate) fn ends_connection(self) -> bool {
        self != Self::Method
    }
}

/// nginx's page for HTTP in cleartext where TLS is spoken.
const CLEARTEXT: &str = "<html>\r\n\
    <head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n\
    <body>\r\n\
    <center><h1>400 Bad Request</h1></center>\r\n\
    <center>The plain HTTP request was sent to HTTPS port</center>\r\n\
    <hr>\r\n\
    </body>\r\n\
    </html>\r\n";

impl From<Fault> for Refusal {
    /// What Kong answers to a head that is none.
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::RequestLine | Fault::Header | Fault::Framing => Self::Bad,
            Fault::RequestLineTooLong => Self::LineTooLong,
            Fault::HeadTooLarge => Self::HeaderTooLong,
            Fault::TooManyHeaders => Self::TooManyHeaders,
            Fault::Version => Self::Version,
            Fault::TransferCoding => Self::Coding,
        }
    }
}

/// nginx's status for a header line that is too long.
pub(crate) fn header_too_long() -> StatusCode {
    StatusCode::from_u16(494).unwrap_or(StatusCode::BAD_REQUEST)
}

/// Checks a request's head, and puts a target in absolute form into the usual one.
///
/// # Errors
/// Why the request may not go on.
pub(crate) fn check(head: &mut Parts, limits: &Limits) -> Result<Asked, Refusal> {
    check_line(head, limits)?;
    check_method(head)?;
    let found = check_headers(head, limits)?;
    check_body(&found, limits)?;
    let Found { host, asking, has_connection, .. } = found;
    let (host, port) = match head.uri.authority() {
        None => self::host(host)?,
        Some(_) => {
            take_authority(head)?;
            self::host(head.headers.get(header::HOST))?
        }
    };
    let path = path::normalize(head.uri.path()).map_err(|_| Refusal::Bad)?.into_owned();
    Ok(Asked { host, port, path, asking, has_connection })
}

/// The request line, as nginx counts it. In HTTP/2 it has no scheme and no host.
fn check_line(head: &Parts, limits: &Limits) -> Result<(), Refusal> {
    const REST: usize = "  HTTP/1.1\r\n".len();
    let is_absolute = head.version != Version::HTTP_2;
    let origin = head.uri.scheme_str().filter(|_| is_absolute);
    let origin = origin.map_or(0, |scheme| scheme.len().saturating_add("://".len()));
    let authority = head.uri.authority().filter(|_| is_absolute).map_or(0, |authority| authority.as_str().len());
    let path = head.uri.path_and_query().map_or(0, |path| path.as_str().len());
    let length = [head.method.as_str().len(), origin, authority, path, REST].iter().sum::<usize>();
    if length > limits.line { Err(Refusal::LineTooLong) } else { Ok(()) }
}

/// nginx takes no tunnels and no traces.
fn check_method(head: &Parts) -> Result<(), Refusal> {
    // An absolute target without a path has one, says `Uri::path`.
    if !head.uri.path().starts_with('/') || (head.uri.authority().is_some() && head.uri.scheme().is_none()) {
        return Err(Refusal::Bad);
    }
    if head.method == Method::TRACE || head.method == Method::CONNECT {
        return Err(Refusal::Method);
    }
    Ok(())
}

/// Lines that are too long, and lines that there may be only one of.
fn check_headers<'a>(head: &'a Parts, limits: &Limits) -> Result<Found<'a>, Refusal> {
    const REST: usize = ": \r\n".len();
    if head.headers.len() > limits.header_lines {
        return Err(Refusal::TooManyHeaders);
    }
    let is_http2 = head.version == Version::HTTP_2;
    let mut found = Found::default();
    for (name, value) in &head.headers {
        if name.as_str().len().saturating_add(value.len()).saturating_add(REST) > limits.line {
            return Err(Refusal::HeaderTooLong);
        }
        if is_http2 && is_padded(value) {
            return Err(Refusal::Bad);
        }
        found.note(name, value);
    }
    let may_lack_host = head.version < Version::HTTP_11 || (is_http2 && head.uri.host().is_some());
    if found.is_ambiguous || (found.host.is_none() && !may_lack_host) { Err(Refusal::Bad) } else { Ok(found) }
}

/// Whether a value has a blank at an end, which HTTP/1 takes off and HTTP/2 forbids (RFC 9113
/// section 8.2.1).
fn is_padded(value: &HeaderValue) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    is_blank(value.as_bytes().first()) || is_blank(value.as_bytes().last())
}

/// Of the transfer codings only `chunked` is taken, as in nginx, whatever reads the request.
fn check_body(found: &Found<'_>, limits: &Limits) -> Result<(), Refusal> {
    if found.coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(Refusal::Coding);
    }
    let length = found.length.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match (length, limits.body) {
        (Some(length), Some(limit)) if length > limit => Err(Refusal::BodyTooLong),
        _ => Ok(()),
    }
}

/// A target in absolute form says the host itself: it counts, and `Host` is made to agree with it.
/// In HTTP/2 (`:authority`) they may not differ (RFC 9113 section 8.3.1).
fn take_authority(head: &mut Parts) -> Result<(), Refusal> {
    let Some(authority) = head.uri.authority() else { return Ok(()) };
    if head.version == Version::HTTP_2
        && let Some(host) = head.headers.get(header::HOST)
        && !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
    {
        return Err(Refusal::Bad);
    }
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::Bad)?;
    let path = match head.uri.path_and_query() {
        Some(path) if path.as_str().starts_with('/') => path.clone(),
        path => format!("/{}", path.map_or("", PathAndQuery::as_str)).parse().map_err(|_| Refusal::Bad)?,
    };
    head.headers.insert(header::HOST, host);
    head.uri = Uri::from(path);
    Ok(())
}

/// The host and port that `Host` names.
fn host(line: Option<&HeaderValue>) -> Result<(String, Option<u16>), Refusal> {
    let Some(line) = line else { return Ok((String::new(), None)) };
    let line = line.to_str().map_err(|_| Refusal::Bad)?;
    let (host, port) = split_host(line).map_err(|_| Refusal::Bad)?;
    Ok((host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(version: Version, target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().version(version).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn checked(head: &mut Parts) -> Result<Asked, u16> {
        let limits = Limits { body: Some(100), ..Limits::default() };
        check(head, &limits).map_err(|refusal| refusal.reply().status().as_u16())
    }

    fn with_host(host: &str) -> Result<(String, Option<u16>), u16> {
        checked(&mut head(Version::HTTP_11, "/", &[("host", host)])).map(|asked| (asked.host, asked.port))
    }

    #[test]
    fn a_host_is_one_name_and_perhaps_a_port() {
        assert_eq!(with_host("Example.COM"), Ok(("example.com".into(), None)));
        assert_eq!(with_host("example.com:8000"), Ok(("example.com".into(), Some(8000))));
        assert_eq!(with_host("127.0.0.1:80"), Ok(("127.0.0.1".into(), Some(80))));
        assert_eq!(with_host("a_b.example"), Ok(("a_b.example".into(), None)));
        for host in ["", " ", "a b", "a/b", "a,b", "user@a", "a:b", "a:99999", "a\tb", "a?b", "a#b"] {
            assert_eq!(with_host(host), Err(400), "{host:?}");
        }
    }

    #[test]
    fn http_1_1_needs_exactly_one_host() {
        assert_eq!(checked(&mut head(Version::HTTP_11, "/", &[])), Err(400));
        assert_eq!(checked(&mut head(Version::HTTP_11, "/", &[("host", "a"), ("host", "a")])), Err(400));
        assert_eq!(checked(&mut head(Version::HTTP_10, "/", &[])).unwrap().host, "");
        assert_eq!(checked(&mut head(Version::HTTP_10, "/", &[("host", "a")])).unwrap().host, "a");
    }

    #[test]
    fn the_authority_of_an_absolute_target_wins() {
        let mut absolute = head(Version::HTTP_11, "http://Real.example:81/a?b=c", &[("host", "other.example")]);
        let asked = checked(&mut absolute).unwrap();
        assert_eq!((asked.host.as_str(), asked.port, asked.path.as_str()), ("real.example", Some(81), "/a"));
        assert_eq!(absolute.headers["host"], "Real.example:81");
        assert_eq!(absolute.uri, "/a?b=c");
        let mut without_path = head(Version::HTTP_11, "http://real.example?x", &[("host", "other.example")]);
        assert_eq!(checked(&mut without_path).unwrap().path, "/");
        assert_eq!(without_path.uri, "/?x");
        let user = checked(&mut head(Version::HTTP_11, "http://user@real.example/", &[("host", "real.example")]));
        assert_eq!(user, Err(400));
    }

    #[test]
    fn http_2_needs_one_host_in_one_or_two_places() {
        let host = |target, headers: &[(&str, &str)]| {
            let mut head = head(Version::HTTP_2, target, headers);
            let asked = checked(&mut head).map(|asked| (asked.host, asked.port));
            asked.map(|asked| (asked, head.headers["host"].to_str().unwrap().to_owned(), head.uri.to_string()))
        };
        let found = |host: &str| Ok((("real.example".into(), Some(81)), host.into(), "/a?b".to_owned()));
        assert_eq!(host("http://Real.example:81/a?b", &[]), found("Real.example:81"));
        assert_eq!(host("http://Real.example:81/a?b", &[("host", "real.example:81")]), found("Real.example:81"));
        assert_eq!(host("/a?b", &[("host", "real.example:81")]), found("real.example:81"));
        for (target, headers) in [
            ("/a", &[][..]),
            ("http://real.example/a", &[("host", "other.example")]),
            ("http://real.example/a", &[("host", "real.example:80")]),
            ("http://real.example/a", &[("host", "")]),
            ("http://real.example/a", &[("host", "real.example"), ("host", "real.example")]),
            ("http://user@real.example/a", &[]),
        ] {
            assert_eq!(host(target, headers), Err(400), "{target} {headers:?}");
        }
    }

    #[test]
    fn http_2_allows_no_blanks_around_a_value() {
        let value = |version, value| checked(&mut head(version, "/", &[("host", "a"), ("x", value)])).is_ok();
        for padded in [" a", "a ", "\ta", "a\t", " "] {
            assert!(!value(Version::HTTP_2, padded), "{padded:?}");
            assert!(value(Version::HTTP_11, padded), "{padded:?}");
        }
        assert!(value(Version::HTTP_2, "") && value(Version::HTTP_2, "a b"));
    }

    #[test]
    fn more_header_lines_than_allowed_are_refused() {
        let with = |count: usize| {
            let lines = vec![("x", "1"); count - 1].into_iter().chain([("host", "a")]).collect::<Vec<_>>();
            checked(&mut head(Version::HTTP_2, "/", &lines)).err()
        };
        assert_eq!([with(200), with(201)], [None, Some(431)]);
    }

    #[test]
    fn a_path_is_read_once_and_normalised() {
        let path = |target| checked(&mut head(Version::HTTP_11, target, &[("host", "a")])).map(|asked| asked.path);
        assert_eq!(path("/c/%73ecret?x=%zz"), Ok("/c/secret".into()));
        assert_eq!(path("//c/./x/../secret"), Ok("/c/secret".into()));
        for target in ["/../etc", "/a/../../b", "/a%00b", "/a%zz", "/a%2", "*"] {
            assert_eq!(path(target), Err(400), "{target}");
        }
    }

    #[test]
    fn tunnels_and_traces_are_not_taken() {
        for (method, target, status) in [
            ("TRACE", "/", 405),
            ("CONNECT", "/", 405),
            ("CONNECT", "a.example:443", 400),
            ("GET", "a.example:443", 400),
        ] {
            let mut head = head(Version::HTTP_11, target, &[("host", "a")]);
            head.method = method.parse().unwrap();
            assert_eq!(checked(&mut head), Err(status), "{method} {target}");
        }
    }

    #[test]
    fn what_there_may_be_one_of_is_refused_twice() {
        let twice =
            |name| checked(&mut head(Version::HTTP_11, "/", &[("host", "a"), (name, "1"), (name, "1")])).is_ok();
        assert!(!twice("authorization"));
        assert!(!twice("content-length"));
        assert!(!twice("transfer-encoding"));
        assert!(twice("cookie"));
        assert!(twice("x_under_score"));
    }

    #[test]
    fn only_chunked_is_a_transfer_coding() {
        for (coding, status) in
            [("chunked", None), ("Chunked", None), ("gzip, chunked", Some(501)), (",chunked", Some(501))]
        {
            let result = checked(&mut head(Version::HTTP_11, "/", &[("host", "a"), ("transfer-encoding", coding)]));
            assert_eq!(result.err(), status, "{coding}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let path = |length: usize| format!("/{}", "a".repeat(length - 1));
        let line = |length: usize| {
            let target = path(length - "GET  HTTP/1.1\r\n".len());
            checked(&mut head(Version::HTTP_11, &target, &[("host", "a")])).err()
        };
        assert_eq!(line(8192), None);
        assert_eq!(line(8193), Some(414));
        let target = format!("http://a{}", path(8192 - "GET  HTTP/1.1\r\n".len()));
        assert_eq!(checked(&mut head(Version::HTTP_2, &target, &[])).err(), None);
        let header = |length: usize| {
            let value = "a".repeat(length - "cookie: \r\n".len());
            checked(&mut head(Version::HTTP_11, "/", &[("host", "a"), ("cookie", &value)])).err()
        };
        assert_eq!(header(8192), None);
        assert_eq!(header(8193), Some(494));
        let body =
            |length| checked(&mut head(Version::HTTP_11, "/", &[("host", "a"), ("content-length", length)])).err();
        assert_eq!(body("100"), None);
        assert_eq!(body("101"), Some(413));
    }
}
