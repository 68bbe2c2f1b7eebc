//! `traceparent`, [W3C Trace Context](https://www.w3.org/TR/trace-context/), version 00.

use http::{HeaderMap, HeaderName};
use towergate_core::IdForm;

use super::{
    carried::{Carried, alone, ignore, set},
    inject::Injected,
    text::Text,
};
use crate::ids::{Size, SpanId, TraceId, from_digits};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

pub(super) fn extract(headers: &HeaderMap) -> Option<Carried> {
    let value = alone(headers, &TRACEPARENT).filter(|value| !value.is_empty())?;
    let carried = parse(value.as_bytes());
    if carried.is_none() {
        ignore(&TRACEPARENT);
    }
    carried
}

/// `00-{32 digits}-{16 digits}-{2 digits}`.
fn parse(text: &[u8]) -> Option<Carried> {
    let (high, rest) = text.strip_prefix(b"00-")?.split_first_chunk::<16>()?;
    let (low, rest) = rest.split_first_chunk::<16>()?;
    let (span, rest) = rest.strip_prefix(b"-")?.split_first_chunk::<16>()?;
    let flags = rest.strip_prefix(b"-").filter(|flags| flags.len() == 2)?;
    let trace = u128::from(from_digits(high)?) << 64 | u128::from(from_digits(low)?);
    Some(Carried {
        trace_id: Some(TraceId::received(trace, 16)?),
        span_id: Some(SpanId::new(from_digits(span)?)?),
        is_sampled: Some(from_digits(flags)? % 2 == 1),
        ..Carried::default()
    })
}

pub(super) fn inject(headers: &mut HeaderMap, trace: &Injected<'_>) -> IdForm {
    let text = Text::new().with("00-").with_trace(trace.trace_id, Size::Sixteen).with("-").with_span(trace.span_id);
    set(headers, TRACEPARENT, &text.with(if trace.is_sampled { "-01" } else { "-00" }));
    IdForm::Hex32
}
