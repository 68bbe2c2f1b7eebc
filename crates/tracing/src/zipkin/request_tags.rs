//! Tags that a request names itself: `Zipkin-Tags: a=b; c=d`.

use http::{HeaderMap, HeaderName};

/// The tags in all lines of this header; what is none is left out.
pub(super) fn read(headers: &HeaderMap, name: &HeaderName) -> Vec<(String, String)> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(tag).collect()
}

/// A name without white space, `=`, and a value. As in Kong, a `=` inside the name is part of it: the last one that
/// the name's word has, or the one right after it, counts.
fn tag(item: &str) -> Option<(String, String)> {
    let item = item.trim();
    let end = item.find(char::is_whitespace).unwrap_or(item.len());
    let (word, rest) = item.split_at_checked(end)?;
    if let Some(value) = rest.trim_start().strip_prefix('=') {
        return pair(word, value);
    }
    let ends = word.char_indices().rev().filter(|(_, letter)| *letter == '=');
    ends.filter_map(|(at, _)| pair(word.get(..at)?, item.get(at.checked_add(1)?..)?)).next()
}

fn pair(name: &str, value: &str) -> Option<(String, String)> {
    let value = value.trim();
    (!name.is_empty() && !value.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn tags_are_read_as_kong_reads_them() {
        let name = HeaderName::from_static("zipkin-tags");
        for (line, expected) in [
            ("foo=bar; baz=qux", vec![("foo", "bar"), ("baz", "qux")]),
            ("  foo = bar , x ;;", vec![("foo", "bar , x")]),
            ("foo=bar=baz", vec![("foo=bar", "baz")]),
            ("foo=", vec![]),
            ("=bar", vec![]),
            ("nonsense; a b=c; a=1", vec![("a", "1")]),
            ("foo=bar=", vec![("foo", "bar=")]),
            ("a =b=c", vec![("a", "b=c")]),
        ] {
            let headers: HeaderMap = [(name.clone(), HeaderValue::from_static(line))].into_iter().collect();
            let expected: Vec<_> =
                expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(read(&headers, &name), expected, "{line}");
        }
        let mut headers = HeaderMap::new();
        headers.append(&name, HeaderValue::from_static("a=1"));
        headers.append(&name, HeaderValue::from_static("b=2"));
        assert_eq!(read(&headers, &name).len(), 2);
    }
}
