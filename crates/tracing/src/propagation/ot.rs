//! `ot-tracer-*` of OpenTracing.

use http::{HeaderMap, HeaderName};
use towergate_core::IdForm;

use super::{
    baggage,
    carried::{Carried, ignore, only, set, set_flag},
    inject::Injected,
    text::Text,
};
use crate::ids::{Size, TraceId, from_hex, span_from_hex};

const TRACE_ID: HeaderName = HeaderName::from_static("ot-tracer-traceid");
const SPAN_ID: HeaderName = HeaderName::from_static("ot-tracer-spanid");
const SAMPLED: HeaderName = HeaderName::from_static("ot-tracer-sampled");
const BAGGAGE: &str = "ot-baggage-";

pub(super) fn extract(headers: &HeaderMap) -> Option<Carried> {
    if ![TRACE_ID, SPAN_ID, SAMPLED].iter().any(|name| headers.contains_key(name)) {
        return None;
    }
    let mut carried = Carried { baggage: baggage::extract(headers, BAGGAGE), ..Carried::default() };
    match only(headers, &SAMPLED) {
        Some("1" | "true") => carried.is_sampled = Some(true),
        Some("0" | "false") => carried.is_sampled = Some(false),
        Some(_) => ignore(&SAMPLED),
        None => {}
    }
    let trace = only(headers, &TRACE_ID);
    carried.trace_id = trace.and_then(trace_id);
    if trace.is_some() && carried.trace_id.is_none() {
        ignore(&TRACE_ID);
    }
    let span = only(headers, &SPAN_ID);
    carried.span_id = span.filter(|text| text.len() == 16).and_then(span_from_hex);
    if span.is_some() && carried.span_id.is_none() {
        ignore(&SPAN_ID);
        carried.trace_id = None;
    }
    if carried.trace_id.is_none() {
        carried.span_id = None;
    }
    let says_something = carried.trace_id.is_some() || carried.is_sampled.is_some() || !carried.baggage.is_empty();
    says_something.then_some(carried)
}

fn trace_id(text: &str) -> Option<TraceId> {
    match text.len() {
        16 => TraceId::received(from_hex(text, 16)?, 8),
        32 => TraceId::received(from_hex(text, 32)?, 16),
        _ => None,
    }
}

pub(super) fn inject(headers: &mut HeaderMap, trace: &Injected<'_>) -> IdForm {
    let size = trace.trace_id.size(Size::Eight);
    set(headers, TRACE_ID, &Text::new().with_trace(trace.trace_id, size));
    set(headers, SPAN_ID, &Text::new().with_span(trace.span_id));
    set_flag(headers, SAMPLED, trace.is_sampled);
    baggage::inject(headers, BAGGAGE, trace.baggage);
    size.form()
}
