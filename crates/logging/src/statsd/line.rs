//! Lines as StatsD servers read them.

use std::fmt::{self, Display, Write as _};

/// The short form of a sort of metric.
pub(crate) fn kind(stat_type: &str) -> &'static str {
    match stat_type {
        "gauge" => "g",
        "timer" => "ms",
        "histogram" => "h",
        "meter" => "m",
        "set" => "s",
        "distribution" => "d",
        _ => "c",
    }
}

/// In whose dialect tags are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagStyle {
    Dogstatsd,
    Influxdb,
    Librato,
    Signalfx,
}

impl TagStyle {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "dogstatsd" => Some(Self::Dogstatsd),
            "influxdb" => Some(Self::Influxdb),
            "librato" => Some(Self::Librato),
            "signalfx" => Some(Self::Signalfx),
            _ => None,
        }
    }
}

/// One metric of one request.
pub(super) struct Line<'a, V> {
    pub(super) prefix: &'a str,
    pub(super) name: &'a str,
    pub(super) value: V,
    pub(super) kind: &'a str,
    pub(super) rate: Option<f64>,
    pub(super) tags: Option<(TagStyle, &'a [(&'static str, String)])>,
}

impl<V: Display> Display for Line<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, name, value, kind, .. } = self;
        let tags = |assign: char| {
            let mut text = String::new();
            for (nth, (name, value)) in self.tags.map(|(_, tags)| tags).unwrap_or_default().iter().enumerate() {
                let comma = if nth > 0 { "," } else { "" };
                let _ = write!(text, "{comma}{name}{assign}{value}");
            }
            text
        };
        write!(f, "{prefix}.{name}")?;
        match self.tags.map(|(style, _)| style) {
            Some(TagStyle::Influxdb) => write!(f, ",{}", tags('='))?,
            Some(TagStyle::Librato) => write!(f, "#{}", tags('='))?,
            Some(TagStyle::Signalfx) => write!(f, "[{}]", tags('='))?,
            Some(TagStyle::Dogstatsd) | None => {}
        }
        write!(f, ":{value}|{kind}")?;
        if let Some(rate) = self.rate.filter(|rate| (rate - 1.0).abs() > f64::EPSILON) {
            write!(f, "|@{rate}")?;
        }
        match self.tags {
            Some((TagStyle::Dogstatsd, _)) => write!(f, "|#{}", tags(':')),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_has_its_place_for_tags() {
        let tags = [("service", "a".to_owned()), ("status", "200".to_owned())];
        for (style, expected) in [
            (None, "kong.latency:7|ms|@0.5"),
            (Some(TagStyle::Dogstatsd), "kong.latency:7|ms|@0.5|#service:a,status:200"),
            (Some(TagStyle::Influxdb), "kong.latency,service=a,status=200:7|ms|@0.5"),
            (Some(TagStyle::Librato), "kong.latency#service=a,status=200:7|ms|@0.5"),
            (Some(TagStyle::Signalfx), "kong.latency[service=a,status=200]:7|ms|@0.5"),
        ] {
            let tags = style.map(|style| (style, tags.as_slice()));
            let line = Line { prefix: "kong", name: "latency", value: 7, kind: "ms", rate: Some(0.5), tags };
            assert_eq!(line.to_string(), expected);
        }
        let line = Line { prefix: "kong", name: "request.count", value: 1, kind: "c", rate: Some(1.0), tags: None };
        assert_eq!(line.to_string(), "kong.request.count:1|c");
    }
}
