//! The text that Prometheus reads.

use std::{
    borrow::Cow,
    fmt::{self, Display, Write},
};

use crate::format::Format;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, but for restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A page of metrics as it is being written, in one of Prometheus' two [formats](Format).
///
/// Names and labels of samples are the same in both, so that queries find the same whichever was
/// negotiated. OpenMetrics wants names of counters to end in `_total`: one that does not is declared
/// as `unknown` there.
///
/// ```
/// use towergate_metrics::{Exposition, Kind};
///
/// let mut page = Exposition::default();
/// page.family("jobs_total", Kind::Counter, "Jobs that were done");
/// page.sample("jobs_total", &[("queue", "mail")], 3);
/// assert_eq!(
///     page.into_text(),
///     "# HELP jobs_total Jobs that were done\n# TYPE jobs_total counter\njobs_total{queue=\"mail\"} 3\n",
/// );
/// ```
#[derive(Debug, Default, Clone)]
pub struct Exposition {
    text: String,
    format: Format,
}

impl Exposition {
    /// The media type of the text format, as Kong says it.
    pub const CONTENT_TYPE: &'static str = "text/plain; charset=UTF-8";

    /// An empty page in this format.
    pub fn of(format: Format) -> Self {
        Self { text: String::new(), format }
    }

    /// Begins a metric: what it is and what it means. Its samples follow.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        let (name, kind, help) = match self.format {
            Format::Text => (name, kind.as_str(), help),
            Format::OpenMetrics => {
                let (name, kind) = declared(name, kind.as_str());
                (name, kind, help.replace('"', "\\\""))
            }
        };
        self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// One value of a metric.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.line(name, &label_text(labels.iter().copied()), value);
    }

    /// One value of a metric whose labels are text already.
    pub(crate) fn line(&mut self, name: &str, labels: &str, value: impl Display) {
        if labels.is_empty() {
            self.put(format_args!("{name} {value}\n"));
        } else {
            self.put(format_args!("{name}{{{labels}}} {value}\n"));
        }
    }

    /// One value, and a request that stands for those it counts, where the format has room for that.
    pub(crate) fn exemplified(&mut self, name: &str, labels: &str, value: impl Display, exemplar: Option<&str>) {
        match exemplar.filter(|_| self.format == Format::OpenMetrics) {
            Some(exemplar) => self.put(format_args!("{name}{{{labels}}} {value} # {exemplar}\n")),
            None => self.line(name, labels, value),
        }
    }

    /// Adds a page in the text format that somebody else has written; it must not hold the same metrics.
    pub fn append(&mut self, page: &str) {
        match self.format {
            Format::Text => self.text.push_str(page),
            Format::OpenMetrics => self.append_translated(page),
        }
    }

    /// Declares the metrics of a page in the text format as OpenMetrics wants it, and leaves out what
    /// it does not know: empty lines and comments.
    fn append_translated(&mut self, page: &str) {
        let mut help = None;
        for line in page.lines().filter(|line| !line.is_empty()) {
            if let Some((name, text)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
                help = Some((name, text.replace('"', "\\\"")));
            } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                let (declared, kind) = declared(name, kind);
                if let Some((_, help)) = help.take().filter(|(of, _)| *of == name) {
                    self.put(format_args!("# HELP {declared} {help}\n"));
                }
                self.put(format_args!("# TYPE {declared} {kind}\n"));
            } else if !line.starts_with('#') {
                self.put(format_args!("{line}\n"));
            }
        }
    }

    /// The page.
    pub fn into_text(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
    }
}

/// The name and the type under which OpenMetrics declares a metric whose samples have this name.
fn declared<'a>(name: &'a str, kind: &'a str) -> (&'a str, &'a str) {
    match (kind, name.strip_suffix("_total")) {
        ("counter", Some(stem)) => (stem, kind),
        ("counter", None) | ("untyped", _) => (name, "unknown"),
        _ => (name, kind),
    }
}

/// `a="b",c="d"`.
pub(crate) fn label_text<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{name}=\"{}\"", escaped(value));
    }
    text
}

/// A label's value as it stands between quotes.
fn escaped(value: &str) -> Cow<'_, str> {
    if !value.contains(['\\', '"', '\n']) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let labels = [("a", "x\"} 1\n"), ("b", r"C:\"), ("c", "für")];
        assert_eq!(label_text(labels), r#"a="x\"} 1\n",b="C:\\",c="für""#);
    }

    #[test]
    fn a_metric_may_have_no_labels() {
        let mut page = Exposition::default();
        page.sample("up", &[], 1);
        page.append("x 2\n");
        assert_eq!(page.into_text(), "up 1\nx 2\n");
    }

    #[test]
    fn open_metrics_declares_counters_by_their_stem_and_ends() {
        let mut page = Exposition::of(Format::OpenMetrics);
        page.family("jobs_total", Kind::Counter, "Jobs \"done\"\\");
        page.sample("jobs_total", &[], 3);
        page.family("kong_bandwidth_bytes", Kind::Counter, "Bytes");
        page.sample("kong_bandwidth_bytes", &[], 4);
        page.family("kong_nginx_requests_total", Kind::Gauge, "Requests");
        page.sample("kong_nginx_requests_total", &[], 5);
        let expected = "# HELP jobs Jobs \\\"done\\\"\\\\\n# TYPE jobs counter\njobs_total 3\n\
                        # HELP kong_bandwidth_bytes Bytes\n# TYPE kong_bandwidth_bytes unknown\nkong_bandwidth_bytes 4\n\
                        # HELP kong_nginx_requests_total Requests\n# TYPE kong_nginx_requests_total gauge\nkong_nginx_requests_total 5\n\
                        # EOF\n";
        assert_eq!(page.into_text(), expected);
    }

    #[test]
    fn a_page_of_somebody_else_is_declared_anew() {
        let mut page = Exposition::of(Format::OpenMetrics);
        page.append(
            "# HELP a_total An \"a\"\n# TYPE a_total counter\na_total{b=\"c\"} 1\n\n# TYPE d gauge\nd 2\n\n# by hand\n\
             # TYPE e untyped\ne 3\n",
        );
        let expected = "# HELP a An \\\"a\\\"\n# TYPE a counter\na_total{b=\"c\"} 1\n# TYPE d gauge\nd 2\n# TYPE e unknown\ne 3\n# EOF\n";
        assert_eq!(page.into_text(), expected);
    }
}
