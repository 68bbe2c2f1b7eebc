//! In which of Prometheus' two formats a page is written.

/// A format that Prometheus reads.
///
/// ```
/// use towergate_metrics::Format;
///
/// let asked = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
/// assert_eq!(Format::accepted([asked]), Format::OpenMetrics);
/// assert_eq!(Format::accepted(["text/html, */*;q=0.8"]), Format::Text);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own text format, version 0.0.4: Kong's.
    #[default]
    Text,
    /// OpenMetrics 1.0, which has exemplars.
    OpenMetrics,
}

impl Format {
    /// The one that suits whoever accepts these media types (the values of `Accept`): OpenMetrics for those that
    /// name it and like nothing better, text for all others.
    pub fn accepted<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut open_metrics, mut text, mut anything) = (None, None, None);
        for range in accept.into_iter().flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (quality, version) = parameters(parts);
            let place = match &*name {
                OPEN_METRICS if version.is_none_or(|version| VERSIONS.contains(&version)) => &mut open_metrics,
                "text/plain" => &mut text,
                "text/*" | "*/*" => &mut anything,
                _ => continue,
            };
            *place = (*place).max(Some(quality));
        }
        match open_metrics {
            Some(quality) if quality > 0 && quality >= text.or(anything).unwrap_or(0) => Self::OpenMetrics,
            _ => Self::Text,
        }
    }

    /// Its media type: Kong's for text.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=UTF-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

const OPEN_METRICS: &str = "application/openmetrics-text";

/// The first is the draft that the second was made of; what is written here is both.
const VERSIONS: [&str; 2] = ["0.0.1", "1.0.0"];

/// The quality, in thousandths, and the version that the parameters of a media type say.
fn parameters<'a>(parts: impl Iterator<Item = &'a str>) -> (u32, Option<&'a str>) {
    let (mut quality, mut version) = (1000, None);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = thousandths(value.trim()),
            "version" => version = Some(value.trim().trim_matches('"')),
            _ => {}
        }
    }
    (quality, version)
}

/// A quality as RFC 9110 writes it; what is none wants nothing.
fn thousandths(quality: &str) -> u32 {
    let (whole, rest) = quality.split_once('.').unwrap_or((quality, ""));
    match (whole, rest.len()) {
        ("1", _) => 1000,
        ("0", 0..=3) => format!("{rest:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_open_metrics_gets_it() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
                            q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                            text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accept, expected) in [
            (prometheus_2, Format::OpenMetrics),
            (prometheus_3, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"; Q=0.9, */*; q=0.8", Format::OpenMetrics),
            ("application/openmetrics-text;q=0.5, text/plain;q=0.9", Format::Text),
            ("application/openmetrics-text;q=0, */*;q=0", Format::Text),
            ("application/openmetrics-text;version=2.0.0", Format::Text),
            ("text/plain;version=0.0.4", Format::Text),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Text),
            ("*/*", Format::Text),
            ("", Format::Text),
            (";;,=;q", Format::Text),
        ] {
            assert_eq!(Format::accepted([accept]), expected, "{accept}");
        }
        assert_eq!(Format::accepted([]), Format::Text);
        assert_eq!(Format::accepted(["text/plain;q=0.1", "application/openmetrics-text;q=0.2"]), Format::OpenMetrics);
    }

    #[test]
    fn qualities_are_read_as_the_rfc_writes_them() {
        for (written, expected) in
            [("1", 1000), ("1.000", 1000), ("0.5", 500), ("0.05", 50), ("0.", 0), ("0", 0), ("0.1234", 0), ("x", 0)]
        {
            assert_eq!(thousandths(written), expected, "{written}");
        }
    }
}
