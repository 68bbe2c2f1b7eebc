//! What becomes of traces.

use super::resolve::Resolver;
use super::value::number;

/// Which parts of a request's way become spans, and of how many requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracing {
    /// Kong's names of the parts, or `all`, or `off`. Default `off`.
    pub instrumentations: Vec<String>,
    /// Of how many requests, from 0 to 1. Default 0.01.
    pub sampling_rate: f64,
}

/// The parts that Kong knows.
const PARTS: &[&str] = &[
    "request",
    "db_query",
    "dns_query",
    "router",
    "http_client",
    "balancer",
    "plugin_rewrite",
    "plugin_access",
    "plugin_header_filter",
];

impl Tracing {
    /// Whether anything becomes a span.
    pub fn is_on(&self) -> bool {
        self.instrumentations.first().is_some_and(|name| name != "off")
    }

    /// Whether this part does.
    pub fn has(&self, part: &str) -> bool {
        let is_all = self.instrumentations.first().is_some_and(|name| name == "all");
        is_all || self.instrumentations.iter().any(|name| name == part)
    }
}

/// What `tracing_*` says; without it, what the names of old (`opentelemetry_tracing*`) say.
pub(super) fn tracing(from: &mut Resolver<'_>) -> Tracing {
    let names = from.alias("tracing_instrumentations", "opentelemetry_tracing");
    let instrumentations = from.list(names);
    for name in &instrumentations {
        if !PARTS.contains(&name.as_str()) && !matches!(name.as_str(), "all" | "off") {
            let known = PARTS.join(", ");
            from.report(names, format!("{names}: invalid tracing type: {name} (off, all, {known})"));
        }
    }
    if instrumentations.len() > 1 && instrumentations.iter().any(|name| name == "off") {
        from.report(names, format!("{names}: invalid tracing types: off, other types are mutually exclusive"));
    }
    let rate = from.alias("tracing_sampling_rate", "opentelemetry_tracing_sampling_rate");
    let sampling_rate = number(&from.text(rate)).unwrap_or(0.01);
    if !(0.0..=1.0).contains(&sampling_rate) {
        from.report(rate, format!("{rate} must be between 0 and 1"));
    }
    Tracing { instrumentations, sampling_rate }
}
