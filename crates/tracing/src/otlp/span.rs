//! One span as OTLP writes it.

use std::time::Instant;

use opentelemetry_proto::tonic::{
    common::v1::KeyValue,
    trace::v1::{
        Span, Status,
        span::{Event, SpanKind},
        status::StatusCode,
    },
};

use super::attribute::attribute;
use crate::{
    clock::Clock,
    ids::{SpanId, TraceId},
};

/// What a span is made of.
pub(crate) struct SpanOf {
    pub(crate) name: String,
    pub(crate) id: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) kind: SpanKind,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) has_failed: bool,
    /// What went wrong, where that is known: an event of it.
    pub(crate) exception: Option<String>,
}

/// It, in a trace.
pub(crate) fn built(trace: TraceId, clock: Clock, span: SpanOf) -> Span {
    let failed = || Status { message: String::new(), code: StatusCode::Error.into() };
    let ended = clock.nanoseconds(span.ended.max(span.began));
    let exception = |message: String| Event {
        name: "exception".into(),
        time_unix_nano: ended,
        attributes: vec![attribute("exception.message", message)],
        ..Event::default()
    };
    Span {
        trace_id: trace.bits().to_be_bytes().to_vec(),
        span_id: span.id.bits().to_be_bytes().to_vec(),
        parent_span_id: span.parent.map(|id| id.bits().to_be_bytes().to_vec()).unwrap_or_default(),
        name: span.name,
        kind: span.kind.into(),
        start_time_unix_nano: clock.nanoseconds(span.began),
        end_time_unix_nano: ended,
        attributes: span.attributes,
        events: span.exception.map(exception).into_iter().collect(),
        status: span.has_failed.then(failed),
        ..Span::default()
    }
}
