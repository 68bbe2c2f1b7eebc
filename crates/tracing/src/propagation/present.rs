//! Which formats of traces a request may come with.

use http::{HeaderMap, HeaderName};

use super::Format;

/// The formats of which a request has headers: found out by going through their names once, which costs less than
/// looking for each. Most requests have none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Present(u16);

impl Present {
    pub(super) fn among(headers: &HeaderMap) -> Self {
        headers.keys().fold(Self::default(), |present, name| match format(name) {
            Some(format) => Self(present.0 | bit(format)),
            None => present,
        })
    }

    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether there may be something to read in this format.
    pub(super) fn has(self, format: Format) -> bool {
        self.0 & bit(format) != 0
    }
}

fn bit(format: Format) -> u16 {
    match format {
        Format::W3c => 1,
        // Both forms are read together.
        Format::B3 | Format::B3Single => 1 << 1,
        Format::Jaeger => 1 << 2,
        Format::Ot => 1 << 3,
        Format::Datadog => 1 << 4,
        Format::Aws => 1 << 5,
        Format::Gcp => 1 << 6,
        Format::Instana => 1 << 7,
    }
}

/// The format that a header of this name is part of.
fn format(name: &HeaderName) -> Option<Format> {
    let name = name.as_str();
    match name.as_bytes().first()? {
        b'x' => of_extension(name.strip_prefix("x-")?),
        b't' if name == "traceparent" => Some(Format::W3c),
        // Where B3's single header may travel as well.
        b't' if name == "tracestate" => Some(Format::B3),
        b'b' if name == "b3" => Some(Format::B3),
        b'u' if name.starts_with("uber") => Some(Format::Jaeger),
        b'o' if name.starts_with("ot-") => Some(Format::Ot),
        _ => None,
    }
}

fn of_extension(name: &str) -> Option<Format> {
    let begins = [
        ("b3-", Format::B3),
        ("datadog-", Format::Datadog),
        ("amzn-trace-id", Format::Aws),
        ("cloud-trace-context", Format::Gcp),
        ("instana-", Format::Instana),
    ];
    begins.into_iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, format)| format)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn each_format_is_known_by_its_headers() {
        for (format, names) in [
            (Format::W3c, &["traceparent"][..]),
            (Format::B3, &["b3", "tracestate", "x-b3-traceid", "x-b3-sampled", "x-b3-flags"]),
            (Format::Jaeger, &["uber-trace-id"]),
            (Format::Ot, &["ot-tracer-traceid", "ot-tracer-sampled", "ot-baggage-a"]),
            (Format::Datadog, &["x-datadog-trace-id", "x-datadog-sampling-priority"]),
            (Format::Aws, &["x-amzn-trace-id"]),
            (Format::Gcp, &["x-cloud-trace-context"]),
            (Format::Instana, &["x-instana-t"]),
        ] {
            for name in names {
                let line = (HeaderName::from_static(name), HeaderValue::from_static("1"));
                let present = Present::among(&[line].into_iter().collect());
                let found =
                    Format::ALL.into_iter().filter(|format| present.has(*format) && *format != Format::B3Single);
                assert!(found.eq([format]), "{name}");
            }
        }
        let others = ["host", "x-api-key", "x-b", "t", "o", "te", "origin", "x-cloud", "x-amzn-other"];
        let line = |name| (HeaderName::from_static(name), HeaderValue::from_static("1"));
        assert!(Present::among(&others.into_iter().map(line).collect()).is_none());
    }
}
