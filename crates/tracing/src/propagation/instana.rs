//! `X-INSTANA-T`, `-S` and `-L` of [Instana](https://www.ibm.com/docs/en/instana-observability).

use http::{HeaderMap, HeaderName};
use towergate_core::IdForm;

use super::{
    carried::{Carried, ignore, only, set, set_flag},
    inject::Injected,
    text::Text,
};
use crate::ids::{Size, TraceId, from_hex, span_from_hex};

const TRACE_ID: HeaderName = HeaderName::from_static("x-instana-t");
const SPAN_ID: HeaderName = HeaderName::from_static("x-instana-s");
const LEVEL: HeaderName = HeaderName::from_static("x-instana-l");

pub(super) fn extract(headers: &HeaderMap) -> Option<Carried> {
    let (trace, span) = (only(headers, &TRACE_ID)?, only(headers, &SPAN_ID)?);
    let trace_id = trace_id(digits(trace));
    if trace_id.is_none() {
        ignore(&TRACE_ID);
    }
    let span_id = span_from_hex(digits(span));
    if span_id.is_none() {
        ignore(&SPAN_ID);
    }
    // `1`, or `1,correlationType=web;correlationId=…`; without a level nothing is decided.
    let is_sampled = only(headers, &LEVEL).map(|level| level.starts_with('1'));
    if trace_id.is_none() && is_sampled.is_none() {
        return None;
    }
    Some(Carried { trace_id, span_id: span_id.filter(|_| trace_id.is_some()), is_sampled, ..Carried::default() })
}

/// The hexadecimal digits it begins with.
fn digits(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_hexdigit()).unwrap_or(text.len());
    text.split_at_checked(end).map_or("", |(digits, _)| digits)
}

fn trace_id(text: &str) -> Option<TraceId> {
    match text.len() {
        16 => TraceId::received(from_hex(text, 16)?, 8),
        32 => TraceId::received(from_hex(text, 32)?, 16),
        _ => None,
    }
}

pub(super) fn inject(headers: &mut HeaderMap, trace: &Injected<'_>) -> IdForm {
    let size = trace.trace_id.size(Size::Sixteen);
    set(headers, TRACE_ID, &Text::new().with_trace(trace.trace_id, size));
    set(headers, SPAN_ID, &Text::new().with_span(trace.span_id));
    set_flag(headers, LEVEL, trace.is_sampled);
    size.form()
}
