//! `X-Cloud-Trace-Context` of [Google Cloud](https://cloud.google.com/trace/docs/trace-context#legacy-http-header).

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName};
use towergate_core::IdForm;

use super::{
    carried::{Carried, ignore, only, set},
    inject::Injected,
    text::Text,
};
use crate::ids::{Size, SpanId, TraceId, from_decimal, from_hex};

const HEADER: HeaderName = HeaderName::from_static("x-cloud-trace-context");

pub(super) fn extract(headers: &HeaderMap) -> Option<Carried> {
    let carried = parse(only(headers, &HEADER)?);
    if carried.is_none() {
        ignore(&HEADER);
    }
    carried
}

/// `{32 digits, lower case}/{span, decimal}[;o={flag}]`.
fn parse(text: &str) -> Option<Carried> {
    let (trace, rest) = text.split_once('/')?;
    let (span, flag) = match rest.split_once(';') {
        None => (rest, None),
        Some((span, options)) => (span, Some(options.strip_prefix("o=")?)),
    };
    let is_flag = flag.is_none_or(|flag| flag.len() == 1 && flag.bytes().all(|byte| byte.is_ascii_digit()));
    let is_lower = !trace.bytes().any(|byte| byte.is_ascii_uppercase());
    if trace.len() != 32 || !is_lower || span.len() > 20 || !is_flag {
        return None;
    }
    // What does not fit into a span's id is cut off at the front.
    let span_id = SpanId::new((from_decimal(span)? & u128::from(u64::MAX)) as u64);
    Some(Carried {
        trace_id: Some(TraceId::received(from_hex(trace, 32)?, 16)?),
        span_id,
        is_sampled: Some(flag == Some("1")),
        ..Carried::default()
    })
}

pub(super) fn inject(headers: &mut HeaderMap, trace: &Injected<'_>) -> IdForm {
    let mut text = Text::new().with_trace(trace.trace_id, Size::Sixteen).with("/");
    // Writing there does not fail.
    let _ = write!(text, "{}", trace.span_id.bits());
    set(headers, HEADER, &text.with(if trace.is_sampled { ";o=1" } else { ";o=0" }));
    IdForm::Hex32
}
