//! What headers carry of a trace.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::ids::{SpanId, TraceId};

/// What the headers of a request say about the trace it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// The trace.
    pub trace_id: Option<TraceId>,
    /// The sender's span, or the one that sender and receiver share ([`shares_span`](Self::shares_span)).
    pub span_id: Option<SpanId>,
    /// The parent of `span_id`, where the format tells.
    pub parent_id: Option<SpanId>,
    /// Whether the format lets the receiver go on with the sender's span (B3 and Jaeger).
    pub shares_span: bool,
    /// Whether the trace is recorded, if that is decided.
    pub is_sampled: Option<bool>,
    /// Whether it is recorded in any case, whatever samplers say (B3's debug flag).
    pub is_debug: bool,
    /// Whether it came in B3's single header.
    pub is_single: bool,
    /// What else travels with the trace: names and values.
    pub baggage: Vec<(String, String)>,
}

/// The value of a header that is there once, as text; more than one of them are nothing to rely on.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_none() { Some(value) } else { None }
}

/// Sets a header, in place of all that were there.
pub(crate) fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    // Digits and punctuation are fit for a header.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// What is wrong with a header a trace should come in, for those who look for it; its value may be anybody's.
pub(crate) fn ignore(name: &str) {
    tracing::debug!(header = name, "invalid tracing header; ignoring");
}
