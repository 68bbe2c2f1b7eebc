//! Fields of a `multipart/form-data` body.

use std::{borrow::Cow, ops::Range};

use crate::value::Value;

/// What stands under this name.
pub(crate) fn value<'a>(body: &'a [u8], boundary: &str, name: &str) -> Value<'a> {
    parts(body, boundary)
        .filter(|part| part.is_named(name))
        .fold(Value::Absent, |found, part| found.and(Value::Text(Cow::Borrowed(part.content))))
}

/// The body without the parts of this name, the others as they were; `None` if there are none of it.
pub(crate) fn without(body: &[u8], boundary: &str, name: &str) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(body.len());
    let mut from = 0;
    for part in parts(body, boundary).filter(|part| part.is_named(name)) {
        kept.extend_from_slice(body.get(from..part.span.start)?);
        from = part.span.end;
    }
    if from == 0 {
        return None;
    }
    kept.extend_from_slice(body.get(from..)?);
    Some(kept)
}

/// The boundary that a content type names.
pub(crate) fn boundary(content_type: &str) -> Option<&str> {
    parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty())
}

/// One part of a body.
struct Part<'a> {
    /// From its delimiter to the next one.
    span: Range<usize>,
    head: &'a [u8],
    content: &'a [u8],
}

impl Part<'_> {
    fn is_named(&self, name: &str) -> bool {
        let head = String::from_utf8_lossy(self.head);
        let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
        let disposition = lines.find(|(field, _)| field.trim().eq_ignore_ascii_case("content-disposition"));
        disposition.and_then(|(_, value)| parameter(value, "name")) == Some(name)
    }
}

fn parts<'a>(body: &'a [u8], boundary: &str) -> impl Iterator<Item = Part<'a>> {
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let is_line = |at: &usize| body.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with(b"\r\n"));
    let starts: Vec<usize> = find_all(body, &delimiter).into_iter().filter(is_line).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().collect();
    starts.into_iter().zip(ends).filter_map(move |(start, end)| {
        let inside = body.get(start.checked_add(delimiter.len())?..end)?;
        let inside = inside.strip_prefix(b"\r\n")?.strip_suffix(b"\r\n")?;
        let head = find_all(inside, b"\r\n\r\n").first().copied()?;
        let content = inside.get(head.checked_add(4)?..)?;
        Some(Part { span: start..end, head: inside.get(..head)?, content })
    })
}

fn find_all(text: &[u8], wanted: &[u8]) -> Vec<usize> {
    text.windows(wanted.len()).enumerate().filter(|(_, window)| *window == wanted).map(|(at, _)| at).collect()
}

/// The parameter of this name in a header's value, without its quotes.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &str = concat!(
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n",
        "--b\r\ncontent-type: text/plain\r\ncontent-disposition: form-data; name=apikey\r\n\r\nk\r\n",
        "--b--\r\n",
    );

    #[test]
    fn finds_a_field() {
        let text = |text: &'static str| Value::Text(Cow::Borrowed(text.as_bytes()));
        assert_eq!(value(BODY.as_bytes(), "b", "apikey"), text("k"));
        assert_eq!(value(BODY.as_bytes(), "b", "a"), text("1"));
        assert_eq!(value(BODY.as_bytes(), "b", "x"), Value::Absent);
        assert_eq!(value(BODY.as_bytes(), "other", "a"), Value::Absent);
        let twice = BODY.replace("name=\"a\"", "name=\"apikey\"");
        assert_eq!(value(twice.as_bytes(), "b", "apikey"), Value::Many);
        let inside = BODY.replace("\r\nk\r\n", "\r\nk--b\r\n");
        assert_eq!(value(inside.as_bytes(), "b", "apikey"), text("k--b"), "only at the beginning of a line");
        for broken in ["", "--b", "--b--", "--b\r\n--b", "--b\r\n\r\n--b", "--b\r\nx\r\n\r\n--b--"] {
            assert_eq!(value(broken.as_bytes(), "b", "apikey"), Value::Absent, "{broken:?}");
        }
    }

    #[test]
    fn removes_a_field() {
        let left = without(BODY.as_bytes(), "b", "apikey").unwrap();
        assert_eq!(
            String::from_utf8(left).unwrap(),
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"
        );
        let left = without(BODY.as_bytes(), "b", "a").unwrap();
        assert!(left.starts_with(b"--b\r\ncontent-type"));
        assert_eq!(without(BODY.as_bytes(), "b", "x"), None);
    }

    #[test]
    fn reads_the_boundary() {
        let cases = [
            ("multipart/form-data; boundary=b", Some("b")),
            ("multipart/form-data; charset=x; Boundary=\"a b\"", Some("a b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
        ];
        for (content_type, expected) in cases {
            assert_eq!(boundary(content_type), expected);
        }
    }

    proptest! {
        /// Bodies of whole and broken pieces.
        #[test]
        fn what_was_removed_is_gone(pieces in proptest::collection::vec(0_usize..6, 0..20)) {
            let piece = |index| ["--b", "\r\n", "--", "Content-Disposition: form-data; name=k", "\r\n\r\n", "k"][index];
            let body: String = pieces.into_iter().map(piece).collect();
            let left = without(body.as_bytes(), "b", "k");
            prop_assert_eq!(left.is_none(), value(body.as_bytes(), "b", "k").is_absent());
            if let Some(left) = left {
                prop_assert!(value(&left, "b", "k").is_absent(), "{:?}", body);
            }
        }
    }
}
