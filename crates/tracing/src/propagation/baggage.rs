//! Names and values that travel with a trace, each in a header of its own.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What is written as it is, as nginx does for a component of a URI.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What stands in the headers whose names begin so.
pub(super) fn extract(headers: &HeaderMap, prefix: &str) -> Vec<(String, String)> {
    let items = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(prefix).filter(|name| !name.is_empty())?;
        Some((name.to_owned(), unescape(value.to_str().ok()?)))
    });
    items.collect()
}

fn unescape(text: &str) -> String {
    let spaced: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

pub(super) fn inject(headers: &mut HeaderMap, prefix: &str, baggage: &[(String, String)]) {
    for (name, value) in baggage {
        let name = HeaderName::try_from(format!("{prefix}{name}"));
        let value = HeaderValue::try_from(utf8_percent_encode(value, ESCAPED).to_string());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
}
