//! How header names are written.

use bytes::Bytes;
use http::HeaderName;

/// How the header names of one message were written, in the extensions of a request or response.
///
/// Names are compared without case, and [`HeaderName`] keeps them in lower case only; yet there are
/// recipients that care. Written out again a name takes its usual spelling: `Title-Case`, or what
/// is usual instead, like `ETag`. Only names that had come in another one are remembered here, and a
/// message without such names has no `Spelling` at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spelling {
    names: Vec<(HeaderName, Bytes)>,
}

impl Spelling {
    /// Nothing remembered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether every name has its usual spelling.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Remembers how a name was written. Of several spellings of one name the first counts.
    /// `written` must be this name but for the case; anything else is ignored.
    pub fn remember(&mut self, name: &HeaderName, written: Bytes) {
        if written.eq_ignore_ascii_case(name.as_str().as_bytes()) {
            self.names.push((name.clone(), written));
        }
    }

    /// How this name was written, if not as usual.
    pub fn of(&self, name: &HeaderName) -> Option<&[u8]> {
        self.names.iter().find(|(known, _)| known == name).map(|(_, written)| &**written)
    }
}

/// A name in lower case, and its usual spelling.
type Known = (&'static [u8], &'static [u8]);

/// Names that are seen all the time or are not usually written in `Title-Case`, by their length: so
/// that most names are recognised by a comparison or two instead of being gone through.
fn known(length: usize) -> &'static [Known] {
    match length {
        2 => &[(b"te", b"TE")],
        3 => &[(b"via", b"Via"), (b"dnt", b"DNT"), (b"nel", b"NEL"), (b"p3p", b"P3P"), (b"age", b"Age")],
        4 => &[(b"host", b"Host"), (b"date", b"Date"), (b"vary", b"Vary"), (b"etag", b"ETag")],
        6 => &[(b"accept", b"Accept"), (b"server", b"Server"), (b"cookie", b"Cookie"), (b"origin", b"Origin")],
        9 => &[(b"x-real-ip", b"X-Real-IP"), (b"x-api-key", b"X-API-Key")],
        10 => &[
            (b"connection", b"Connection"),
            (b"user-agent", b"User-Agent"),
            (b"set-cookie", b"Set-Cookie"),
            (b"content-id", b"Content-ID"),
            (b"soapaction", b"SOAPAction"),
        ],
        11 => &[(b"content-md5", b"Content-MD5")],
        12 => &[
            (b"content-type", b"Content-Type"),
            (b"x-request-id", b"X-Request-ID"),
            (b"x-webkit-csp", b"X-WebKit-CSP"),
        ],
        13 => &[
            (b"cache-control", b"Cache-Control"),
            (b"authorization", b"Authorization"),
            (b"last-modified", b"Last-Modified"),
            (b"x-consumer-id", b"X-Consumer-ID"),
        ],
        14 => &[(b"content-length", b"Content-Length")],
        15 => &[
            (b"x-forwarded-for", b"X-Forwarded-For"),
            (b"accept-encoding", b"Accept-Encoding"),
            (b"accept-language", b"Accept-Language"),
            (b"x-ua-compatible", b"X-UA-Compatible"),
            (b"kong-request-id", b"Kong-Request-ID"),
        ],
        16 => &[
            (b"x-forwarded-host", b"X-Forwarded-Host"),
            (b"x-forwarded-port", b"X-Forwarded-Port"),
            (b"x-forwarded-path", b"X-Forwarded-Path"),
            (b"www-authenticate", b"WWW-Authenticate"),
            (b"x-xss-protection", b"X-XSS-Protection"),
            (b"x-correlation-id", b"X-Correlation-ID"),
            (b"content-encoding", b"Content-Encoding"),
        ],
        17 => &[
            (b"x-forwarded-proto", b"X-Forwarded-Proto"),
            (b"x-kong-request-id", b"X-Kong-Request-Id"),
            (b"transfer-encoding", b"Transfer-Encoding"),
        ],
        18 => &[(b"x-forwarded-prefix", b"X-Forwarded-Prefix")],
        20 => &[(b"x-kong-proxy-latency", b"X-Kong-Proxy-Latency"), (b"x-consumer-custom-id", b"X-Consumer-Custom-ID")],
        22 => &[(b"x-dns-prefetch-control", b"X-DNS-Prefetch-Control")],
        23 => &[
            (b"x-kong-upstream-latency", b"X-Kong-Upstream-Latency"),
            (b"x-kong-admin-request-id", b"X-Kong-Admin-Request-ID"),
        ],
        _ => &[],
    }
}

/// The beginning of a name that is usually spelled so, the rest in `Title-Case`. `name` may be in
/// any case.
fn beginning(name: &[u8]) -> Option<&'static [u8]> {
    let usual: &[u8] = match name {
        [b'x' | b'X', _, b'r' | b'R', ..] => b"X-RateLimit-",
        [b'r' | b'R', b'a' | b'A', ..] => b"RateLimit-",
        [b's' | b'S', b'e' | b'E', b'c' | b'C', ..] => b"Sec-WebSocket-",
        _ => return None,
    };
    name.get(..usual.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(usual)).then_some(usual)
}

/// Whether a name is written as it usually is.
pub(crate) fn is_usual(written: &[u8]) -> bool {
    let known = known(written.len());
    if known.iter().any(|(_, usual)| *usual == written) {
        return true;
    }
    if known.iter().any(|(_, usual)| usual.eq_ignore_ascii_case(written)) {
        return false;
    }
    match beginning(written) {
        Some(usual) => written.strip_prefix(usual).is_some_and(is_title_case),
        None => is_title_case(written),
    }
}

fn is_title_case(name: &[u8]) -> bool {
    let mut begins = true;
    name.iter().all(|byte| {
        let fits = if begins { !byte.is_ascii_lowercase() } else { !byte.is_ascii_uppercase() };
        begins = *byte == b'-';
        fits
    })
}

/// Writes a name: as remembered, else in its usual spelling.
pub(crate) fn put_name(out: &mut Vec<u8>, name: &HeaderName, spelling: Option<&Spelling>) {
    if let Some(written) = spelling.and_then(|spelling| spelling.of(name)) {
        return out.extend_from_slice(written);
    }
    let name = name.as_str().as_bytes();
    match known(name.len()).iter().find(|(lower, _)| *lower == name) {
        Some((_, usual)) => out.extend_from_slice(usual),
        None => put_title_case(out, name),
    }
}

fn put_title_case(out: &mut Vec<u8>, name: &[u8]) {
    let usual = beginning(name).unwrap_or_default();
    out.extend_from_slice(usual);
    // The rest as it is, in lower case, and then each beginning of a word in upper case.
    let start = out.len();
    out.extend_from_slice(name.get(usual.len()..).unwrap_or_default());
    let mut begins = true;
    for byte in out.get_mut(start..).unwrap_or_default() {
        if begins {
            byte.make_ascii_uppercase();
        }
        begins = *byte == b'-';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, spelling: Option<&Spelling>) -> String {
        let mut out = Vec::new();
        put_name(&mut out, &HeaderName::try_from(name).unwrap(), spelling);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_take_their_usual_spelling() {
        for usual in [
            "Host",
            "Content-Type",
            "X-Forwarded-For",
            "X-Kong-Request-Id",
            "X-Real-IP",
            "ETag",
            "TE",
            "DNT",
            "WWW-Authenticate",
            "Content-MD5",
            "X-XSS-Protection",
            "X-RateLimit-Remaining-Minute",
            "RateLimit-Limit",
            "Sec-WebSocket-Key",
            "Te-St",
            "Etagged",
            "X--A-",
            "1-2B_c.d",
            "X",
        ] {
            let lower = usual.to_ascii_lowercase();
            let title = if usual == "1-2B_c.d" { "1-2b_c.d" } else { usual };
            assert_eq!(written(&lower, None), title);
            assert!(is_usual(title.as_bytes()), "{title}");
            assert_eq!(is_usual(lower.as_bytes()), lower == title, "{lower}");
        }
        for other in ["ETAG", "Etag", "X-Real-Ip", "x-real-IP", "HOST", "content-Type", "X-RateLimit-remaining"] {
            assert!(!is_usual(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn each_known_name_stands_under_its_length() {
        for length in 0..64 {
            for (lower, usual) in known(length) {
                assert_eq!(lower.len(), length);
                assert_eq!(usual.to_ascii_lowercase(), *lower);
                assert!(is_usual(usual) && !is_usual(lower), "{length}");
            }
        }
    }

    #[test]
    fn a_long_name_is_written_whole() {
        let name = format!("x-{}-{}", "a".repeat(61), "b".repeat(200));
        assert_eq!(written(&name, None), format!("X-A{}-B{}", "a".repeat(60), "b".repeat(199)));
    }

    #[test]
    fn a_remembered_spelling_counts_first() {
        let name = HeaderName::from_static("x-trace");
        let mut spelling = Spelling::new();
        assert!(spelling.is_empty());
        spelling.remember(&name, Bytes::from_static(b"X-TRACE"));
        spelling.remember(&name, Bytes::from_static(b"x-trace"));
        assert_eq!(written("x-trace", Some(&spelling)), "X-TRACE");
        assert_eq!(written("x-other", Some(&spelling)), "X-Other");
    }

    #[test]
    fn nothing_but_the_name_can_be_remembered() {
        let name = HeaderName::from_static("x-a");
        let mut spelling = Spelling::new();
        spelling.remember(&name, Bytes::from_static(b"X-A: 1\r\nX-B"));
        assert!(spelling.is_empty());
    }
}
