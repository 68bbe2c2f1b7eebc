//! `uber-trace-id` of [Jaeger](https://www.jaegertracing.io/docs/1.29/client-libraries/#propagation-format).

use http::{HeaderMap, HeaderName};
use towergate_core::IdForm;

use super::{
    baggage,
    carried::{Carried, ignore, only, set},
    inject::Injected,
    text::Text,
};
use crate::ids::{Size, TraceId, from_hex, span_from_hex};

const HEADER: HeaderName = HeaderName::from_static("uber-trace-id");
const BAGGAGE: &str = "uberctx-";

pub(super) fn extract(headers: &HeaderMap) -> Option<Carried> {
    let text = only(headers, &HEADER).filter(|text| !text.is_empty())?;
    let Some(carried) = parse(text) else {
        ignore(&HEADER);
        return None;
    };
    Some(Carried { baggage: baggage::extract(headers, BAGGAGE), ..carried })
}

/// `{trace}:{span}:{parent}:{flags}`, where zeros in front may be left out.
fn parse(text: &str) -> Option<Carried> {
    let mut parts = text.split(':');
    let (trace, span, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !matches!(flags.len(), 1 | 2) {
        return None;
    }
    let bytes = u8::try_from(trace.len().div_ceil(2)).ok()?;
    // Nobody needs the parent: one that is too long is no reason to lose the trace.
    if parent.is_empty() || !parent.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some(Carried {
        trace_id: Some(TraceId::received(from_hex(trace, 32)?, bytes)?),
        span_id: Some(span_from_hex(span)?),
        parent_id: span_from_hex(parent),
        shares_span: true,
        is_sampled: Some(from_hex(flags, 2)? % 2 == 1),
        ..Carried::default()
    })
}

pub(super) fn inject(headers: &mut HeaderMap, trace: &Injected<'_>) -> IdForm {
    let size = trace.trace_id.size(Size::Sixteen);
    let text = Text::new().with_trace(trace.trace_id, size).with(":").with_span(trace.span_id).with(":");
    let text = match trace.parent_id {
        Some(parent) => text.with_span(parent),
        None => text.with("0"),
    };
    set(headers, HEADER, &text.with(if trace.is_sampled { ":01" } else { ":00" }));
    baggage::inject(headers, BAGGAGE, trace.baggage);
    size.form()
}
