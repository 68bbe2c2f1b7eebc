//! The trace a request belongs to.

use std::sync::OnceLock;

/// The trace a request belongs to, as a tracing plugin found or began it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The trace's id; one of 64 bits has zeros before it.
    pub id: u128,
    /// The id of the gateway's own span for this request.
    pub span_id: u64,
    /// Whether the trace is recorded.
    pub is_sampled: bool,
    /// The trace's id as it goes upstream: the name of each format of headers, and what it writes. These are
    /// what Kong's logs show as `trace_id`.
    pub formats: Vec<(&'static str, String)>,
}

/// The traces of one request: written by its tracing plugins, of which there may be two.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    first: OnceLock<Box<Trace>>,
    second: OnceLock<Box<Trace>>,
}

impl Traces {
    pub(crate) fn record(&self, trace: Trace) {
        if let Err(trace) = self.first.set(Box::new(trace)) {
            let _ = self.second.set(trace);
        }
    }

    pub(crate) fn first(&self) -> Option<&Trace> {
        self.first.get().map(|trace| &**trace)
    }

    pub(crate) fn formats(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let (first, second) = (formats(&self.first), formats(&self.second));
        // As in Kong, of two texts in one format the later one counts.
        let is_kept = move |(name, _): &&(&str, String)| second.iter().all(|(other, _)| other != name);
        first.iter().filter(is_kept).chain(second).map(|(name, text)| (*name, text.as_str()))
    }
}

fn formats(trace: &OnceLock<Box<Trace>>) -> &[(&'static str, String)] {
    trace.get().map(|trace| trace.formats.as_slice()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(id: u128, formats: &[(&'static str, &str)]) -> Trace {
        let formats = formats.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        Trace { id, span_id: 1, is_sampled: true, formats }
    }

    #[test]
    fn the_first_trace_counts_and_formats_add_up() {
        let traces = Traces::default();
        assert!(traces.first().is_none() && traces.formats().next().is_none());
        traces.record(trace(1, &[("b3", "a"), ("w3c", "b")]));
        traces.record(trace(2, &[("w3c", "c"), ("ot", "d")]));
        traces.record(trace(3, &[("gcp", "e")]));
        assert_eq!(traces.first().unwrap().id, 1);
        assert!(traces.formats().eq([("b3", "a"), ("w3c", "c"), ("ot", "d")]));
    }
}
