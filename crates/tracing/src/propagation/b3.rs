//! [B3](https://github.com/openzipkin/b3-propagation), in several headers or in one.

use http::{HeaderMap, HeaderName};

use super::{
    carried::{Carried, ignore, only, set},
    inject::Injected,
};
use crate::ids::{Size, SpanId, TraceId, from_hex, span_from_hex};

const SINGLE: HeaderName = HeaderName::from_static("b3");
const TRACE_ID: HeaderName = HeaderName::from_static("x-b3-traceid");
const SPAN_ID: HeaderName = HeaderName::from_static("x-b3-spanid");
const PARENT_ID: HeaderName = HeaderName::from_static("x-b3-parentspanid");
const SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
const FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");

/// What the single header says counts before what the others say.
pub(super) fn extract(headers: &HeaderMap) -> Option<Carried> {
    let is_multi = [TRACE_ID, SPAN_ID, PARENT_ID, SAMPLED, FLAGS].iter().any(|name| headers.contains_key(name));
    let single = single_header(headers);
    if single.is_none() && !is_multi {
        return None;
    }
    let single = single.map(|text| {
        parse(text).unwrap_or_else(|| {
            ignore(&SINGLE);
            Carried { is_single: true, ..Carried::default() }
        })
    });
    let multi = if is_multi { multi(headers) } else { Carried::default() };
    let mut carried = single.unwrap_or_default();
    carried.is_sampled = carried.is_sampled.or(multi.is_sampled);
    carried.is_debug |= multi.is_debug;
    carried.trace_id = carried.trace_id.or(multi.trace_id);
    carried.span_id = carried.span_id.or(multi.span_id);
    carried.parent_id = carried.parent_id.or(multi.parent_id);
    if carried.trace_id.is_none() {
        (carried.span_id, carried.parent_id) = (None, None);
    }
    Some(Carried { shares_span: true, ..carried })
}

/// `b3`, which may also travel in `tracestate`.
fn single_header(headers: &HeaderMap) -> Option<&str> {
    if headers.contains_key(&SINGLE) {
        return only(headers, &SINGLE);
    }
    let mut states = headers.get_all("tracestate").into_iter().filter_map(|value| value.to_str().ok());
    states.find_map(|state| state.strip_prefix("b3=").filter(|text| !text.is_empty()))
}

/// `{trace}-{span}[-{sampled}[-{parent}]]`, or only whether it is sampled. As in Kong, the dashes around
/// the last two may be missing.
fn parse(text: &str) -> Option<Carried> {
    let mut carried = Carried { is_single: true, ..Carried::default() };
    if let "0" | "1" | "d" = text {
        sample(&mut carried, text);
        return Some(carried);
    }
    let (trace, rest) = text.split_once('-')?;
    carried.trace_id = trace_id(trace)?;
    let (span, rest) = rest.split_at_checked(16)?;
    carried.span_id = id(span)?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let (sampled, rest) = match rest.as_bytes().first() {
        Some(b'0' | b'1' | b'd') => rest.split_at_checked(1)?,
        _ => ("", rest),
    };
    sample(&mut carried, sampled);
    match rest.strip_prefix('-').unwrap_or(rest) {
        "" => {}
        parent => carried.parent_id = id(parent)?,
    }
    Some(carried)
}

fn sample(carried: &mut Carried, sampled: &str) {
    carried.is_debug = sampled == "d";
    carried.is_sampled = match sampled {
        "1" | "d" => Some(true),
        "0" => Some(false),
        _ => None,
    };
}

/// What several headers say. If one of the ids is none, none of them counts.
fn multi(headers: &HeaderMap) -> Carried {
    let mut carried = Carried::default();
    match only(headers, &SAMPLED) {
        Some("1" | "true") => carried.is_sampled = Some(true),
        Some("0" | "false") => carried.is_sampled = Some(false),
        Some(_) => ignore(&SAMPLED),
        None => {}
    }
    match only(headers, &FLAGS) {
        Some("1") => (carried.is_sampled, carried.is_debug) = (Some(true), true),
        Some(_) => ignore(&FLAGS),
        None => {}
    }
    let trace = only(headers, &TRACE_ID).map(trace_id);
    let span = only(headers, &SPAN_ID).map(id);
    let parent = only(headers, &PARENT_ID).map(id);
    match (trace.unwrap_or(Some(None)), span.unwrap_or(Some(None)), parent.unwrap_or(Some(None))) {
        (Some(trace), Some(span), Some(parent)) => {
            (carried.trace_id, carried.span_id, carried.parent_id) = (trace, span, parent);
        }
        _ => ignore(&TRACE_ID),
    }
    carried
}

/// A trace's id of 16 or 32 digits, `Some(None)` if it is all zeros; `None` if it is something else.
fn trace_id(text: &str) -> Option<Option<TraceId>> {
    match text.len() {
        16 => Some(TraceId::received(from_hex(text, 16)?, 8)),
        32 => Some(TraceId::received(from_hex(text, 32)?, 16)),
        _ => None,
    }
}

/// A span's id of 16 digits, `Some(None)` if it is all zeros; `None` if it is something else.
fn id(text: &str) -> Option<Option<SpanId>> {
    if text.len() == 16 && from_hex(text, 16).is_some() { Some(span_from_hex(text)) } else { None }
}

pub(super) fn inject(headers: &mut HeaderMap, trace: &Injected<'_>) -> String {
    let id = trace.trace_id.hex(trace.trace_id.size(Size::Sixteen));
    set(headers, TRACE_ID, id.clone());
    set(headers, SPAN_ID, trace.span_id.hex());
    if let Some(parent) = trace.parent_id {
        set(headers, PARENT_ID, parent.hex());
    }
    if trace.is_debug {
        set(headers, FLAGS, "1");
    } else {
        set(headers, SAMPLED, if trace.is_sampled { "1" } else { "0" });
    }
    id
}

pub(super) fn inject_single(headers: &mut HeaderMap, trace: &Injected<'_>) -> String {
    let id = trace.trace_id.hex(trace.trace_id.size(Size::Sixteen));
    let sampled = match (trace.is_debug, trace.is_sampled) {
        (true, _) => "d",
        (false, true) => "1",
        (false, false) => "0",
    };
    let parent = trace.parent_id.map(SpanId::hex);
    let dash = if parent.is_some() { "-" } else { "" };
    let span = trace.span_id.hex();
    set(headers, SINGLE, [&*id, "-", &span, "-", sampled, dash, &parent.unwrap_or_default()].concat());
    id
}
