//! [B3](https://github.com/openzipkin/b3-propagation), in several headers or in one.

use http::{HeaderMap, HeaderName};
use towergate_core::IdForm;

use super::{
    carried::{Carried, ignore, set, set_flag},
    inject::Injected,
    text::Text,
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
    let lines = Lines::of(headers)?;
    let single = lines.single().map(|text| {
        parse(text).unwrap_or_else(|| {
            ignore(&SINGLE);
            Carried { is_single: true, ..Carried::default() }
        })
    });
    if single.is_none() && !lines.are_several {
        return None;
    }
    let multi = if lines.are_several { multi(&lines) } else { Carried::default() };
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
fn multi(lines: &Lines<'_>) -> Carried {
    let mut carried = Carried::default();
    match lines.sampled.text() {
        Some("1" | "true") => carried.is_sampled = Some(true),
        Some("0" | "false") => carried.is_sampled = Some(false),
        Some(_) => ignore(&SAMPLED),
        None => {}
    }
    match lines.flags.text() {
        Some("1") => (carried.is_sampled, carried.is_debug) = (Some(true), true),
        Some(_) => ignore(&FLAGS),
        None => {}
    }
    let trace = lines.trace.text().map_or(Some(None), trace_id);
    let (span, parent) = (lines.span.text().map_or(Some(None), id), lines.parent.text().map_or(Some(None), id));
    match (trace, span, parent) {
        (Some(trace), Some(span), Some(parent)) => {
            (carried.trace_id, carried.span_id, carried.parent_id) = (trace, span, parent);
        }
        _ => ignore(&TRACE_ID),
    }
    carried
}

/// The headers of a request.
#[derive(Default)]
struct Lines<'a> {
    single: Line<'a>,
    /// The single one as it travels in `tracestate`.
    state: Option<&'a str>,
    /// Whether there is any of the following.
    are_several: bool,
    trace: Line<'a>,
    span: Line<'a>,
    parent: Line<'a>,
    sampled: Line<'a>,
    flags: Line<'a>,
}

/// One of them.
#[derive(Default)]
enum Line<'a> {
    #[default]
    None,
    Text(&'a str),
    /// Not once, or not text: it is there, and says nothing.
    Unreadable,
}

impl<'a> Lines<'a> {
    /// Those of a request, found by going through its headers once, which costs less than looking for each.
    fn of(headers: &'a HeaderMap) -> Option<Self> {
        let (mut lines, mut is_any) = (Self::default(), false);
        for (name, value) in headers {
            let line = match name.as_str() {
                "b3" => &mut lines.single,
                "tracestate" => {
                    let state = value.to_str().ok().and_then(|state| state.strip_prefix("b3="));
                    lines.state = lines.state.or(state.filter(|text| !text.is_empty()));
                    is_any |= lines.state.is_some();
                    continue;
                }
                name => match lines.of_several(name) {
                    Some(line) => line,
                    None => continue,
                },
            };
            is_any = true;
            *line = match (&line, value.to_str()) {
                (Line::None, Ok(text)) => Line::Text(text),
                _ => Line::Unreadable,
            };
        }
        is_any.then_some(lines)
    }

    /// The one of the several headers that has this name.
    fn of_several(&mut self, name: &str) -> Option<&mut Line<'a>> {
        let line = match name.strip_prefix("x-b3-")? {
            "traceid" => &mut self.trace,
            "spanid" => &mut self.span,
            "parentspanid" => &mut self.parent,
            "sampled" => &mut self.sampled,
            "flags" => &mut self.flags,
            _ => return None,
        };
        self.are_several = true;
        Some(line)
    }

    /// What the single one says, which may also travel in `tracestate`.
    fn single(&self) -> Option<&'a str> {
        match &self.single {
            Line::None => self.state,
            line => line.text(),
        }
    }
}

impl<'a> Line<'a> {
    fn text(&self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
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

pub(super) fn inject(headers: &mut HeaderMap, trace: &Injected<'_>) -> IdForm {
    let size = trace.trace_id.size(Size::Sixteen);
    set(headers, TRACE_ID, &Text::new().with_trace(trace.trace_id, size));
    set(headers, SPAN_ID, &Text::new().with_span(trace.span_id));
    if let Some(parent) = trace.parent_id {
        set(headers, PARENT_ID, &Text::new().with_span(parent));
    }
    if trace.is_debug {
        set_flag(headers, FLAGS, true);
    } else {
        set_flag(headers, SAMPLED, trace.is_sampled);
    }
    size.form()
}

pub(super) fn inject_single(headers: &mut HeaderMap, trace: &Injected<'_>) -> IdForm {
    let size = trace.trace_id.size(Size::Sixteen);
    let sampled = match (trace.is_debug, trace.is_sampled) {
        (true, _) => "-d",
        (false, true) => "-1",
        (false, false) => "-0",
    };
    let text = Text::new().with_trace(trace.trace_id, size).with("-").with_span(trace.span_id).with(sampled);
    let text = match trace.parent_id {
        Some(parent) => text.with("-").with_span(parent),
        None => text,
    };
    set(headers, SINGLE, &text);
    size.form()
}
