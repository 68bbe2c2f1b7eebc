//! The text that Prometheus reads.

use std::{
    borrow::Cow,
    fmt::{self, Display, Write},
};

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

/// A page of metrics in Prometheus' text format, version 0.0.4, as it is being written.
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
}

impl Exposition {
    /// The media type of this format, as Kong says it.
    pub const CONTENT_TYPE: &'static str = "text/plain; charset=UTF-8";

    /// Begins a metric: what it is and what it means. Its samples follow.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str()));
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

    /// Adds a page that somebody else has written; it must not hold the same metrics.
    pub fn append(&mut self, page: &str) {
        self.text.push_str(page);
    }

    /// The page.
    pub fn into_text(self) -> String {
        self.text
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
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
}
