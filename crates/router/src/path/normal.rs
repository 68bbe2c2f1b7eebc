//! The one spelling of a path, and why there may be none.

use std::{borrow::Cow, fmt};

use super::escape::{is_reserved, push_escape};

/// Makes the one spelling of a path, given as it stood in the request target up to the `?`.
///
/// * Escapes of characters that mean something in a URL (``!*'();:@&=+$,/?%#[]``) stay, in upper
///   case: `%2f` → `%2F`. So do escapes of control characters, and of bytes that are not UTF-8.
/// * All others are decoded: `%7euser` → `~user`, `%2e` → `.`, `%20` → a space.
/// * `//` becomes `/`, then `.` and `..` segments are resolved (RFC 3986 §5.2.4).
///
/// Applying it twice changes nothing. Nothing is copied when nothing changes.
///
/// # Errors
/// All are for a 400: `..` above the root, `%00`, a `%` without two hexadecimal digits, a raw
/// control character, `?` or `#`, or no `/` at the start.
///
/// ```
/// use towergate_router::path::normalize;
///
/// assert_eq!(normalize("/c//./x/%2E%2e/%73ecret%2fa")?, "/c/secret%2Fa");
/// assert!(normalize("/../etc").unwrap_err().is_above_root());
/// # Ok::<(), towergate_router::path::PathError>(())
/// ```
pub fn normalize(raw: &str) -> Result<Cow<'_, str>, PathError> {
    match raw.bytes().next() {
        None => return Ok(Cow::Borrowed("/")),
        Some(b'/') => {}
        Some(_) => return Err(PathError { kind: Kind::NotAbsolute, at: 0 }),
    }
    if is_plain(raw)? {
        return Ok(Cow::Borrowed(raw));
    }
    let decoded = decode(raw)?;
    let resolved = resolve(&decoded)?;
    Ok(if resolved == raw { Cow::Borrowed(raw) } else { Cow::Owned(resolved) })
}

/// Why a path was refused. `Display` says it for a person, with the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError {
    kind: Kind,
    at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    NotAbsolute,
    AboveRoot,
    BadEscape,
    Nul,
    Control,
    Delimiter,
}

impl PathError {
    /// Whether a `..` segment would have left the root.
    #[must_use]
    pub fn is_above_root(&self) -> bool {
        self.kind == Kind::AboveRoot
    }

    /// Whether a `%` is not followed by two hexadecimal digits, or escapes the zero byte.
    #[must_use]
    pub fn is_bad_escape(&self) -> bool {
        matches!(self.kind, Kind::BadEscape | Kind::Nul)
    }

    /// Whether there is a character that cannot be in a path: a raw control character, `?` or `#`.
    #[must_use]
    pub fn is_bad_character(&self) -> bool {
        matches!(self.kind, Kind::Control | Kind::Delimiter)
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::NotAbsolute => "the path must begin with '/'",
            Kind::AboveRoot => return f.write_str("a '..' segment of the path leads above the root"),
            Kind::BadEscape => "the path has a '%' that is not followed by two hexadecimal digits",
            Kind::Nul => "the path has an escaped zero byte (%00)",
            Kind::Control => "the path has a control character that is not escaped",
            Kind::Delimiter => "the path has a '?' or '#' that is not escaped",
        };
        write!(f, "{what}, at byte {}", self.at)
    }
}

impl std::error::Error for PathError {}

/// Whether the path is surely normal already. Most are: one pass, nothing copied.
fn is_plain(raw: &str) -> Result<bool, PathError> {
    let mut plain = true;
    let mut before = 0;
    for (at, byte) in raw.bytes().enumerate() {
        match byte {
            b'%' => plain = false,
            b'/' | b'.' if before == b'/' => plain = false,
            b'?' | b'#' => return Err(PathError { kind: Kind::Delimiter, at }),
            0..=0x1F | 0x7F => return Err(PathError { kind: Kind::Control, at }),
            _ => {}
        }
        before = byte;
    }
    Ok(plain)
}

/// Decodes the escapes that do not matter; `raw` has no raw control characters.
pub(crate) fn decode(raw: &str) -> Result<String, PathError> {
    let mut decoded = String::with_capacity(raw.len());
    let mut pending = Vec::new();
    let mut rest = raw;
    while let Some(start) = rest.find('%') {
        let (before, escape) = rest.split_at(start);
        if !before.is_empty() {
            flush(&mut decoded, &mut pending);
            decoded.push_str(before);
        }
        let at = raw.len().saturating_sub(escape.len());
        let byte = escaped_byte(escape).ok_or(PathError { kind: Kind::BadEscape, at })?;
        match byte {
            0 => return Err(PathError { kind: Kind::Nul, at }),
            0x80.. => pending.push(byte),
            _ => {
                flush(&mut decoded, &mut pending);
                if is_reserved(byte) || byte.is_ascii_control() {
                    push_escape(&mut decoded, byte);
                } else {
                    decoded.push(char::from(byte));
                }
            }
        }
        rest = escape.get(3..).unwrap_or_default();
    }
    flush(&mut decoded, &mut pending);
    decoded.push_str(rest);
    Ok(decoded)
}

/// The byte behind a `%` and two hexadecimal digits.
fn escaped_byte(escape: &str) -> Option<u8> {
    let digits = escape.get(1..3)?;
    // from_str_radix alone would take "+1" for a number.
    digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// Appends decoded bytes beyond ASCII: as text where they are text, escaped again where not.
fn flush(decoded: &mut String, pending: &mut Vec<u8>) {
    for chunk in pending.utf8_chunks() {
        decoded.push_str(chunk.valid());
        for byte in chunk.invalid() {
            push_escape(decoded, *byte);
        }
    }
    pending.clear();
}

/// Merges slashes, then resolves dot segments.
fn resolve(decoded: &str) -> Result<String, PathError> {
    let mut resolved = String::with_capacity(decoded.len());
    let mut ends_in_folder = true;
    for segment in decoded.split('/') {
        ends_in_folder = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => match resolved.rfind('/') {
                Some(parent) => resolved.truncate(parent),
                None => return Err(PathError { kind: Kind::AboveRoot, at: 0 }),
            },
            _ => {
                resolved.push('/');
                resolved.push_str(segment);
            }
        }
    }
    if ends_in_folder {
        resolved.push('/');
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::path::escape;

    #[test]
    fn one_spelling() {
        let cases = [
            ("", "/"),
            ("/", "/"),
            ("/a//b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/./b/", "/a/b/"),
            ("/a//../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/a/..", "/"),
            ("/%7euser", "/~user"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%20b", "/a b"),
            ("/caf%c3%A9", "/café"),
            ("/café", "/café"),
            ("/%ff%c3%a9%c3", "/%FFé%C3"),
            ("/a%0ab%7f", "/a%0Ab%7F"),
            ("/%252e%252e/", "/%252e%252e/"),
            ("/%5b%5D%21%27", "/%5B%5D%21%27"),
            ("/.well-known/x", "/.well-known/x"),
            ("/...", "/..."),
            ("/a..b/..c/d..", "/a..b/..c/d.."),
        ];
        for (raw, normal) in cases {
            assert_eq!(normalize(raw).unwrap(), normal, "{raw}");
        }
    }

    #[test]
    fn refused_paths() {
        type Question = fn(&PathError) -> bool;
        let cases: [(&str, Question); 14] = [
            ("/..", PathError::is_above_root),
            ("/../..", PathError::is_above_root),
            ("/a/../../a", PathError::is_above_root),
            ("//..", PathError::is_above_root),
            ("/%2e%2E/a", PathError::is_above_root),
            ("/%00", PathError::is_bad_escape),
            ("/%zz", PathError::is_bad_escape),
            ("/%+1", PathError::is_bad_escape),
            ("/a%2", PathError::is_bad_escape),
            ("/a%é", PathError::is_bad_escape),
            ("/a\tb", PathError::is_bad_character),
            ("/a\u{7f}", PathError::is_bad_character),
            ("/a?b", PathError::is_bad_character),
            ("/a#b", PathError::is_bad_character),
        ];
        for (raw, question) in cases {
            let error = normalize(raw).unwrap_err();
            assert!(question(&error), "{raw}: {error}");
        }
        assert_eq!(normalize("a/b").unwrap_err().to_string(), "the path must begin with '/', at byte 0");
        assert!(normalize("*").is_err());
    }

    #[test]
    fn nothing_is_copied_when_nothing_changes() {
        for raw in ["/", "/api/v1/orders", "/a%2Fb", "/.well-known/x", "/é"] {
            assert!(matches!(normalize(raw), Ok(Cow::Borrowed(same)) if same == raw), "{raw}");
        }
    }

    #[test]
    fn every_disguise_of_a_path_is_seen_through() {
        let same = [
            "/c/secret",
            "//c/secret",
            "/c//secret",
            "///c///secret",
            "/./c/secret",
            "/c/./secret",
            "/x/../c/secret",
            "/c/x/../secret",
            "/%63/secret",
            "/c/%73ecret",
            "/c/%73%65%63%72%65%74",
            "/%2e/c/secret",
            "/c/%2E/secret",
            "/x/%2e%2e/c/secret",
            "/x/.%2e/c/secret",
            "/x/%2e./c/secret",
            "/x/%2E%2E//c/secret",
            "/c/x//../secret",
        ];
        for raw in same {
            assert_eq!(normalize(raw).unwrap(), "/c/secret", "{raw}");
        }
        let refused = [
            "/../c/secret",
            "/%2e%2e/c/secret",
            "/c/../../c/secret",
            "/c/secret%00",
            "/c/secret%",
            "/c/secre%t",
            "/c/secret\0",
            "\\c\\secret",
        ];
        for raw in refused {
            assert!(normalize(raw).is_err(), "{raw}");
        }
        // A folder of that name, and names that only resemble it: different resources, and they
        // stay different on the way to the service.
        for (raw, sent) in [
            ("/c/secret/.", "/c/secret/"),
            ("/c%2fsecret", "/c%2Fsecret"),
            ("/c%5Csecret", "/c%5Csecret"),
            ("/C/secret", "/C/secret"),
            ("/c/secret;x", "/c/secret;x"),
        ] {
            assert_eq!(escape(&normalize(raw).unwrap()), sent, "{raw}");
        }
    }

    fn spelling() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("/".to_owned()),
            Just(".".to_owned()),
            Just("..".to_owned()),
            Just("%2e".to_owned()),
            Just("%2F".to_owned()),
            Just("%5C".to_owned()),
            Just("%25".to_owned()),
            "%[0-9a-fA-F]{2}",
            "[a-z%]",
            any::<char>().prop_map(String::from),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn normal_paths_stay_normal(raw in spelling()) {
            let Ok(normal) = normalize(&raw) else { return Ok(()) };
            prop_assert_eq!(normalize(&normal).unwrap(), &*normal);
            prop_assert!(!normal.contains("//"));
            prop_assert!(normal.split('/').all(|segment| segment != "." && segment != ".."));
            prop_assert!(!normal.to_lowercase().contains("%2e"));
            prop_assert!(!normal.bytes().any(|byte| byte.is_ascii_control()));
            let sent = escape(&normal);
            prop_assert!(sent.is_ascii());
            prop_assert_eq!(normalize(&sent).unwrap(), &*normal);
        }
    }
}
