//! `traceparent`, [W3C Trace Context](https://www.w3.org/TR/trace-context/), version 00.

use http::{HeaderMap, HeaderName};

use super::{
    carried::{Carried, ignore, only, set},
    inject::Injected,
};
use crate::ids::{Size, SpanId, TraceId, from_hex};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

pub(super) fn extract(headers: &HeaderMap) -> Option<Carried> {
    let text = only(headers, &TRACEPARENT).filter(|text| !text.is_empty())?;
    let carried = parse(text);
    if carried.is_none() {
        ignore(&TRACEPARENT);
    }
    carried
}

fn parse(text: &str) -> Option<Carried> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != "00" || parts.next().is_some() || (trace.len(), span.len(), flags.len()) != (32, 16, 2) {
        return None;
    }
    let flags = from_hex(flags, 2)?;
    Some(Carried {
        trace_id: Some(TraceId::received(from_hex(trace, 32)?, 16)?),
        span_id: Some(SpanId::new(u64::try_from(from_hex(span, 16)?).ok()?)?),
        is_sampled: Some(flags % 2 == 1),
        ..Carried::default()
    })
}

pub(super) fn inject(headers: &mut HeaderMap, trace: &Injected<'_>) -> String {
    let id = trace.trace_id.hex(Size::Sixteen);
    let flags = if trace.is_sampled { "01" } else { "00" };
    set(headers, TRACEPARENT, ["00-", &*id, "-", &trace.span_id.hex(), "-", flags].concat());
    id
}
