//! `x-datadog-*`: decimal numbers of 64 bits.

use http::{HeaderMap, HeaderName, HeaderValue};
use towergate_core::IdForm;

use super::{
    carried::{Carried, ignore, only, set_flag},
    inject::Injected,
};
use crate::ids::{SpanId, TraceId, from_decimal};

const TRACE_ID: HeaderName = HeaderName::from_static("x-datadog-trace-id");
const PARENT_ID: HeaderName = HeaderName::from_static("x-datadog-parent-id");
const PRIORITY: HeaderName = HeaderName::from_static("x-datadog-sampling-priority");

pub(super) fn extract(headers: &HeaderMap) -> Option<Carried> {
    let is_sampled = match only(headers, &PRIORITY) {
        Some("1" | "2") => Some(true),
        Some("0" | "-1") => Some(false),
        Some(_) => {
            ignore(&PRIORITY);
            return None;
        }
        None => None,
    };
    let trace_id = number(headers, &TRACE_ID).and_then(|bits| TraceId::received(bits, size(bits)));
    // What does not fit into a span's id is cut off at the front.
    let parent = number(headers, &PARENT_ID).and_then(|bits| SpanId::new((bits & u128::from(u64::MAX)) as u64));
    if trace_id.is_none() && is_sampled.is_none() {
        return None;
    }
    // What Datadog calls the parent is the sender's span.
    Some(Carried { trace_id, span_id: parent.filter(|_| trace_id.is_some()), is_sampled, ..Carried::default() })
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u128> {
    let number = from_decimal(only(headers, name)?.trim_matches([' ', '\t']));
    if number.is_none() {
        ignore(name);
    }
    number
}

/// How many bytes it takes.
fn size(bits: u128) -> u8 {
    u8::try_from(16_u32.saturating_sub(bits.leading_zeros() / 8)).unwrap_or(16)
}

pub(super) fn inject(headers: &mut HeaderMap, trace: &Injected<'_>) -> IdForm {
    headers.insert(TRACE_ID, HeaderValue::from(trace.trace_id.low()));
    headers.insert(PARENT_ID, HeaderValue::from(trace.span_id.bits()));
    set_flag(headers, PRIORITY, trace.is_sampled);
    IdForm::Decimal
}
