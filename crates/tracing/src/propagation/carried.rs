//! What headers carry of a trace.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::text::Text;
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
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    alone(headers, name)?.to_str().ok()
}

/// The value of a header that is there once.
pub(super) fn alone<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?;
    if values.next().is_none() { Some(value) } else { None }
}

/// Sets a header, in place of all that were there.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, text: &Text) {
    if let Some(value) = text.value() {
        headers.insert(name, value);
    }
}

/// Sets a header that says yes (`1`) or no (`0`).
pub(super) fn set_flag(headers: &mut HeaderMap, name: HeaderName, is_set: bool) {
    headers.insert(name, HeaderValue::from_static(if is_set { "1" } else { "0" }));
}

/// What is wrong with a header a trace should come in, for those who look for it; its value may be anybody's.
pub(super) fn ignore(name: &HeaderName) {
    tracing::debug!(header = name.as_str(), "invalid tracing header; ignoring");
}
