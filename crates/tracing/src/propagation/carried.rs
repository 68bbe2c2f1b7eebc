//! What headers carry of a trace.

use bytes::Bytes;
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

/// Whether a header of this name may be one in which a trace travels. Most requests come without any: going through
/// their names once costs less than looking for each.
pub(crate) fn may_carry(name: &HeaderName) -> bool {
    let name = name.as_str();
    match name.as_bytes().first() {
        Some(b'x') => {
            ["x-b3-", "x-datadog-", "x-amzn-", "x-cloud-", "x-instana-"].iter().any(|begin| name.starts_with(begin))
        }
        Some(b't') => name.starts_with("trace"),
        Some(b'b') => name == "b3",
        Some(b'u') => name.starts_with("uber"),
        Some(b'o') => name.starts_with("ot-"),
        _ => false,
    }
}

/// The value of a header that is there once, as text; more than one of them are nothing to rely on.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_none() { Some(value) } else { None }
}

/// Sets a header, in place of all that were there.
pub(crate) fn set(headers: &mut HeaderMap, name: HeaderName, value: impl Into<Bytes>) {
    // Digits and punctuation are fit for a header.
    if let Ok(value) = HeaderValue::from_maybe_shared(value.into()) {
        headers.insert(name, value);
    }
}

/// What is wrong with a header a trace should come in, for those who look for it; its value may be anybody's.
pub(crate) fn ignore(name: &HeaderName) {
    tracing::debug!(header = name.as_str(), "invalid tracing header; ignoring");
}
