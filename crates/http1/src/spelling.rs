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

/// The usual spelling of names that is not `Title-Case`: those of this length that begin so. Looked
/// at in this way nearly every name is seen at once to be none of them.
fn candidates(length: usize, first: u8) -> &'static [&'static str] {
    match (length, first.to_ascii_lowercase()) {
        (2, b't') => &["TE"],
        (3, b'd') => &["DNT"],
        (3, b'n') => &["NEL"],
        (3, b'p') => &["P3P"],
        (4, b'e') => &["ETag"],
        (9, b'x') => &["X-Real-IP", "X-API-Key"],
        (10, b'c') => &["Content-ID"],
        (10, b's') => &["SOAPAction"],
        (11, b'c') => &["Content-MD5"],
        (12, b'x') => &["X-Request-ID", "X-WebKit-CSP"],
        (13, b'x') => &["X-Consumer-ID"],
        (15, b'k') => &["Kong-Request-ID"],
        (15, b'x') => &["X-UA-Compatible"],
        (16, b'w') => &["WWW-Authenticate"],
        (16, b'x') => &["X-XSS-Protection", "X-Correlation-ID"],
        (20, b'x') => &["X-Consumer-Custom-ID"],
        (22, b'x') => &["X-DNS-Prefetch-Control"],
        (23, b'x') => &["X-Kong-Admin-Request-ID"],
        _ => &[],
    }
}

/// The beginning of a name that is usually spelled so, the rest in `Title-Case`; again for those only
/// that may have it.
fn beginning(name: &[u8]) -> Option<&'static str> {
    match name {
        [b'x' | b'X', _, b'r' | b'R', ..] => Some("X-RateLimit-"),
        [b'r' | b'R', b'a' | b'A', ..] => Some("RateLimit-"),
        [b's' | b'S', b'e' | b'E', b'c' | b'C', ..] => Some("Sec-WebSocket-"),
        _ => None,
    }
}

/// What of a name, all of it or its beginning, is usually spelled in another way than `Title-Case`.
fn unusual(name: &[u8]) -> Option<&'static [u8]> {
    let first = *name.first()?;
    let begins = |with: &&str| name.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with.as_bytes()));
    let whole = candidates(name.len(), first).iter().find(|with| begins(with)).copied();
    whole.or_else(|| beginning(name).filter(begins)).map(str::as_bytes)
}

/// Whether a name is written as it usually is.
pub(crate) fn is_usual(written: &[u8]) -> bool {
    match unusual(written) {
        Some(entry) => written.strip_prefix(entry).is_some_and(is_title_case),
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
    let usual = unusual(name).unwrap_or_default();
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
