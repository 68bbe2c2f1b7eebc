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
    /// How the trace's id goes upstream. This is what Kong's logs show as `trace_id`.
    pub formats: TraceFormats,
}

/// How a trace's id is written in each format of headers in which it goes on: usually in one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceFormats {
    first: Option<(&'static str, IdForm)>,
    others: Vec<(&'static str, IdForm)>,
}

/// How a trace's id is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdForm {
    /// In 32 hexadecimal digits, lower case.
    Hex32,
    /// Its last 8 bytes in 16 hexadecimal digits, lower case.
    Hex16,
    /// Its last 8 bytes as a decimal number.
    Decimal,
}

impl TraceFormats {
    /// Adds a format by its name; one that is there already is kept as it is.
    pub fn add(&mut self, name: &'static str, form: IdForm) {
        if self.first.is_none() {
            self.first = Some((name, form));
        } else if self.iter().all(|(other, _)| other != name) {
            self.others.push((name, form));
        }
    }

    /// What this trace's id is in each format: the format's name and the text.
    pub fn texts(&self, id: u128) -> impl Iterator<Item = (&'static str, String)> {
        self.iter().map(move |(name, form)| (name, form.text(id)))
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, IdForm)> {
        self.first.iter().chain(&self.others).copied()
    }
}

impl IdForm {
    /// This id.
    pub fn text(self, id: u128) -> String {
        let low = id & u128::from(u64::MAX);
        match self {
            Self::Hex32 => format!("{id:032x}"),
            Self::Hex16 => format!("{low:016x}"),
            Self::Decimal => low.to_string(),
        }
    }
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

    pub(crate) fn formats(&self) -> impl Iterator<Item = (&'static str, String)> {
        let [first, second] = [&self.first, &self.second].map(|trace| trace.get().map(|trace| &**trace));
        // As in Kong, of two texts in one format the later one counts.
        let is_kept = move |(name, _): &(&str, String)| {
            second.is_none_or(|second| second.formats.iter().all(|(other, _)| other != *name))
        };
        texts(first).filter(is_kept).chain(texts(second))
    }
}

fn texts(trace: Option<&Trace>) -> impl Iterator<Item = (&'static str, String)> {
    trace.into_iter().flat_map(|trace| trace.formats.texts(trace.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(id: u128, names: &[(&'static str, IdForm)]) -> Trace {
        let mut formats = TraceFormats::default();
        names.iter().for_each(|(name, form)| formats.add(name, *form));
        Trace { id, span_id: 1, is_sampled: true, formats }
    }

    #[test]
    fn the_first_trace_counts_and_formats_add_up() {
        let traces = Traces::default();
        assert!(traces.first().is_none() && traces.formats().next().is_none());
        traces.record(trace(1 << 64 | 1, &[("b3", IdForm::Hex16), ("w3c", IdForm::Hex32), ("b3", IdForm::Hex32)]));
        traces.record(trace(2 << 64 | 25, &[("w3c", IdForm::Hex32), ("datadog", IdForm::Decimal)]));
        traces.record(trace(3, &[("gcp", IdForm::Hex32)]));
        assert_eq!(traces.first().unwrap().id, 1 << 64 | 1);
        let formats: Vec<_> = traces.formats().collect();
        let expected = [("b3", "0000000000000001"), ("w3c", "00000000000000020000000000000019"), ("datadog", "25")];
        assert_eq!(formats, expected.map(|(name, text)| (name, text.to_owned())));
    }
}
