//! `X-Amzn-Trace-Id` of [AWS X-Ray](https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader).

use http::{HeaderMap, HeaderName};
use towergate_core::IdForm;

use super::{
    carried::{Carried, ignore, only, set},
    inject::Injected,
    text::Text,
};
use crate::ids::{TraceId, from_hex, span_from_hex};

const HEADER: HeaderName = HeaderName::from_static("x-amzn-trace-id");

pub(super) fn extract(headers: &HeaderMap) -> Option<Carried> {
    let text = only(headers, &HEADER)?;
    let Some(carried) = parse(text) else {
        ignore(&HEADER);
        return None;
    };
    (carried.trace_id.is_some() || carried.is_sampled.is_some()).then_some(carried)
}

/// `Root=1-{8 digits}-{24 digits};Parent={16 digits};Sampled={0 or 1}`, in any order, among others.
fn parse(text: &str) -> Option<Carried> {
    let mut carried = Carried::default();
    for (key, value) in text.split(';').filter_map(|pair| pair.split_once('=')) {
        match (key.trim(), value.trim()) {
            ("Root", root) => carried.trace_id = Some(trace_id(root)?),
            ("Parent", parent) if parent.len() == 16 => carried.span_id = Some(span_from_hex(parent)?),
            ("Sampled", "1") => carried.is_sampled = Some(true),
            ("Sampled", "0") => carried.is_sampled = Some(false),
            ("Parent" | "Sampled", _) => return None,
            _ => {}
        }
    }
    Some(carried)
}

fn trace_id(root: &str) -> Option<TraceId> {
    let (time, unique) = root.strip_prefix("1-")?.split_once('-')?;
    let is_id = (time.len(), unique.len()) == (8, 24);
    let (time, unique) = (from_hex(time, 8)?, from_hex(unique, 24)?);
    if is_id { TraceId::received((time << 96) | unique, 16) } else { None }
}

pub(super) fn inject(headers: &mut HeaderMap, trace: &Injected<'_>) -> IdForm {
    let sampled = if trace.is_sampled { "1" } else { "0" };
    let text = Text::new().with("Root=1-").with_time_and_unique(trace.trace_id);
    set(headers, HEADER, &text.with(";Parent=").with_span(trace.span_id).with(";Sampled=").with(sampled));
    IdForm::Hex32
}
