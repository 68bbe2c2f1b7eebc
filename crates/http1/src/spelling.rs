//! How header names are written.

use bytes::{BufMut, Bytes};
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

/// Names, and beginnings of names, with a usual spelling that is not `Title-Case`. A beginning ends
/// in `-`, the rest of such a name is `Title-Case`.
const UNUSUAL: [&str; 24] = [
    "ETag",
    "TE",
    "DNT",
    "WWW-Authenticate",
    "Content-MD5",
    "X-Real-IP",
    "X-XSS-Protection",
    "X-Request-ID",
    "X-Correlation-ID",
    "X-Consumer-ID",
    "X-Consumer-Custom-ID",
    "X-API-Key",
    "X-UA-Compatible",
    "X-DNS-Prefetch-Control",
    "X-WebKit-CSP",
    "X-Kong-Admin-Request-ID",
    "Kong-Request-ID",
    "Content-ID",
    "SOAPAction",
    "NEL",
    "P3P",
    "X-RateLimit-",
    "RateLimit-",
    "Sec-WebSocket-",
];

/// The entry of [`UNUSUAL`] that a name is or begins with, whatever its case.
fn unusual(name: &[u8]) -> Option<&'static [u8]> {
    // Looks at one byte before it compares: nearly every name ends here.
    let first = name.first()?.to_ascii_uppercase();
    if !matches!(first, b'E' | b'T' | b'D' | b'W' | b'C' | b'X' | b'K' | b'S' | b'N' | b'P' | b'R') {
        return None;
    }
    let fits = |entry: &&[u8]| match entry.last() {
        Some(b'-') => name.get(..entry.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(entry)),
        _ => name.eq_ignore_ascii_case(entry),
    };
    UNUSUAL.iter().map(|entry| entry.as_bytes()).filter(|entry| entry.first() == Some(&first)).find(fits)
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
pub(crate) fn put_name(out: &mut impl BufMut, name: &HeaderName, spelling: Option<&Spelling>) {
    if let Some(written) = spelling.and_then(|spelling| spelling.of(name)) {
        return out.put_slice(written);
    }
    let name = name.as_str().as_bytes();
    let usual = unusual(name).unwrap_or_default();
    out.put_slice(usual);
    put_title_case(out, name.get(usual.len()..).unwrap_or_default());
}

/// Writes a name in lower case as `Title-Case`, in pieces of a size that needs no allocation.
fn put_title_case(out: &mut impl BufMut, name: &[u8]) {
    let mut begins = true;
    for piece in name.chunks(64) {
        let mut written = [0; 64];
        for (to, from) in written.iter_mut().zip(piece) {
            *to = if begins { from.to_ascii_uppercase() } else { *from };
            begins = *from == b'-';
        }
        out.put_slice(written.get(..piece.len()).unwrap_or_default());
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
            assert_eq!(is_usual(title.as_bytes()), true, "{title}");
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
