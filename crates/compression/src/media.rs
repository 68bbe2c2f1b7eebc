//! Media types that are worth compressing.

use std::{error::Error, fmt, str::FromStr};

/// Some media types: `text/css`, `text/*`, `*+json` or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRange(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Any,
    /// With the slash.
    Main(String),
    /// With the plus sign.
    Suffix(String),
    Exact(String),
}

/// What is no range of media types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadMediaRange(String);

impl fmt::Display for BadMediaRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no media type (as text/css, text/*, *+json or *)", self.0)
    }
}

impl Error for BadMediaRange {}

impl FromStr for MediaRange {
    type Err = BadMediaRange;

    fn from_str(text: &str) -> Result<Self, BadMediaRange> {
        let bad = || BadMediaRange(text.to_owned());
        let text = text.to_ascii_lowercase();
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(is_token);
        if matches!(text.as_str(), "*" | "*/*") {
            return Ok(Self(Kind::Any));
        }
        if let Some(suffix) =
            text.strip_prefix('*').filter(|suffix| suffix.len() > 1 && suffix.starts_with('+') && is_word(suffix))
        {
            return Ok(Self(Kind::Suffix(suffix.to_owned())));
        }
        match text.split_once('/') {
            Some((main, "*")) if is_word(main) => Ok(Self(Kind::Main(format!("{main}/")))),
            Some((main, sub)) if is_word(main) && is_word(sub) => Ok(Self(Kind::Exact(text))),
            _ => Err(bad()),
        }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte)
}

impl MediaRange {
    /// What responses commonly are that is text of some kind.
    pub fn defaults() -> Vec<Self> {
        let exact = |name: &str| Self(Kind::Exact(name.to_owned()));
        let suffix = |name: &str| Self(Kind::Suffix(name.to_owned()));
        let mut ranges = vec![Self(Kind::Main("text/".to_owned())), suffix("+json"), suffix("+xml")];
        ranges.extend(DEFAULTS.map(exact));
        ranges
    }

    /// Whether this media type, without parameters, is one of them.
    fn has(&self, media_type: &str) -> bool {
        match &self.0 {
            Kind::Exact(name) => name.eq_ignore_ascii_case(media_type),
            Kind::Any => !is_event_stream(media_type),
            Kind::Main(start) => starts_with(media_type, start) && !is_event_stream(media_type),
            Kind::Suffix(end) => {
                let tail = media_type.len().checked_sub(end.len()).and_then(|start| media_type.get(start..));
                tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
            }
        }
    }
}

/// Beside `text/*`, `*+json` and `*+xml`.
const DEFAULTS: [&str; 13] = [
    "application/json",
    "application/javascript",
    "application/x-javascript",
    "application/xml",
    "application/x-ndjson",
    "application/yaml",
    "application/toml",
    "application/wasm",
    "application/vnd.ms-fontobject",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/x-icon",
];

/// Whether a `Content-Type` is on the list. gRPC never is.
pub(crate) fn is_listed(ranges: &[MediaRange], content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    !starts_with(media_type, "application/grpc") && ranges.iter().any(|range| range.has(media_type))
}

/// Only one that names it means it.
fn is_event_stream(media_type: &str) -> bool {
    media_type.eq_ignore_ascii_case("text/event-stream")
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(texts: &[&str]) -> Vec<MediaRange> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn text_is_compressed_and_what_is_small_already_is_not() {
        let defaults = MediaRange::defaults();
        for (content_type, listed) in [
            ("text/html", true),
            ("Text/HTML; charset=utf-8", true),
            ("text/plain ; charset=utf-8", true),
            ("application/json", true),
            ("application/problem+json", true),
            ("application/vnd.api+JSON;v=1", true),
            ("image/svg+xml", true),
            ("application/xml", true),
            ("application/javascript", true),
            ("application/wasm", true),
            ("image/png", false),
            ("video/mp4", false),
            ("application/zip", false),
            ("application/octet-stream", false),
            ("font/woff2", false),
            ("text/event-stream", false),
            ("text/event-stream; charset=utf-8", false),
            ("application/grpc", false),
            ("application/grpc+json", false),
            ("application/grpc-web-text+json", false),
            ("textile", false),
            ("json", false),
            ("", false),
            ("é", false),
        ] {
            assert_eq!(is_listed(&defaults, content_type), listed, "{content_type:?}");
        }
    }

    #[test]
    fn a_list_of_one_s_own_replaces_the_default() {
        let own = ranges(&["text/css", "IMAGE/*", "*+cbor"]);
        for (content_type, listed) in [
            ("text/css", true),
            ("text/html", false),
            ("image/png", true),
            ("application/senml+cbor", true),
            ("application/json", false),
        ] {
            assert_eq!(is_listed(&own, content_type), listed, "{content_type:?}");
        }
        assert!(is_listed(&ranges(&["*"]), "application/anything"));
        assert!(!is_listed(&ranges(&["*"]), "text/event-stream"));
        assert!(!is_listed(&ranges(&["*"]), "application/grpc"));
        assert!(is_listed(&ranges(&["text/event-stream"]), "text/event-stream"));
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in ["", "text", "text/", "/html", "text/html; q=1", "*html", "*/html", "te xt/html", "*+", "+json"] {
            assert!(text.parse::<MediaRange>().is_err(), "{text:?}");
        }
        let error = "html".parse::<MediaRange>().unwrap_err();
        assert_eq!(error.to_string(), "'html' is no media type (as text/css, text/*, *+json or *)");
    }
}
