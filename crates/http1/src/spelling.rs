//! How header names are written.

use bytes::Bytes;
use http::HeaderName;

use crate::names;

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

/// How the beginning of a name is usually spelled, where it is not in `Title-Case` as the rest is.
fn beginning(name: &str) -> &'static str {
    match name.as_bytes() {
        [b'x', b'-', b'r', ..] if name.starts_with("x-ratelimit-") => "X-RateLimit-",
        [b'r', ..] if name.starts_with("ratelimit-") => "RateLimit-",
        [b's', ..] if name.starts_with("sec-websocket-") => "Sec-WebSocket-",
        _ => "",
    }
}

/// Whether a name is written as it usually is.
pub(crate) fn is_usual(name: &HeaderName, written: &[u8]) -> bool {
    match names::usual(name) {
        Some(usual) => usual.as_bytes() == written,
        None => written.strip_prefix(beginning(name.as_str()).as_bytes()).is_some_and(is_title_case),
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
    match names::usual(name) {
        Some(usual) => out.extend_from_slice(usual.as_bytes()),
        None => put_title_case(out, name.as_str()),
    }
}

fn put_title_case(out: &mut Vec<u8>, name: &str) {
    let usual = beginning(name);
    out.extend_from_slice(usual.as_bytes());
    // The rest as it is, in lower case, and then each beginning of a word in upper case.
    let start = out.len();
    let rest = name.as_bytes().get(usual.len()..).unwrap_or_default();
    out.extend_from_slice(rest);
    let Some((first, others)) = out.get_mut(start..).and_then(<[u8]>::split_first_mut) else { return };
    first.make_ascii_uppercase();
    // What stands before a letter is asked of the name, so that it is done for many letters at once.
    for (byte, before) in others.iter_mut().zip(rest) {
        *byte ^= if *before == b'-' && byte.is_ascii_lowercase() { 0x20 } else { 0 };
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

    fn is_usually(written: &str) -> bool {
        is_usual(&HeaderName::try_from(written).unwrap(), written.as_bytes())
    }

    #[test]
    fn names_take_their_usual_spelling() {
        for usual in [
            "TE",
            "Via",
            "DNT",
            "NEL",
            "P3P",
            "Age",
            "Host",
            "Date",
            "Vary",
            "ETag",
            "Accept",
            "Server",
            "Cookie",
            "Origin",
            "X-Real-IP",
            "X-API-Key",
            "Connection",
            "User-Agent",
            "Set-Cookie",
            "Content-ID",
            "SOAPAction",
            "Content-MD5",
            "Content-Type",
            "X-Request-ID",
            "X-WebKit-CSP",
            "Cache-Control",
            "Authorization",
            "Last-Modified",
            "X-Consumer-ID",
            "Content-Length",
            "X-Forwarded-For",
            "Accept-Encoding",
            "Accept-Language",
            "X-UA-Compatible",
            "Kong-Request-ID",
            "X-Forwarded-Host",
            "X-Forwarded-Port",
            "X-Forwarded-Path",
            "WWW-Authenticate",
            "X-XSS-Protection",
            "X-Correlation-ID",
            "Content-Encoding",
            "X-Forwarded-Proto",
            "X-Kong-Request-Id",
            "Transfer-Encoding",
            "X-Forwarded-Prefix",
            "X-Consumer-Username",
            "X-Kong-Proxy-Latency",
            "X-Consumer-Custom-ID",
            "X-DNS-Prefetch-Control",
            "X-Kong-Upstream-Latency",
            "X-Kong-Admin-Request-ID",
            "X-Credential-Identifier",
            "Access-Control-Allow-Origin",
            "Access-Control-Allow-Credentials",
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
            assert!(is_usually(title), "{title}");
            assert_eq!(is_usually(&lower), lower == title, "{lower}");
        }
        assert_eq!(written("apikey", None), "apikey");
        assert!(is_usually("apikey") && !is_usually("Apikey"));
        for other in ["ETAG", "Etag", "X-Real-Ip", "x-real-IP", "HOST", "content-Type", "X-RateLimit-remaining"] {
            assert!(!is_usually(other), "{other}");
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
