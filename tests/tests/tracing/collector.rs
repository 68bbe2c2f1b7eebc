//! A collector that takes spans and remembers them.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::Value as Json;
use towergate_tests::{Reply, SOON, Upstream, eventually_some};

/// A server that takes everything that is sent to it.
pub(crate) fn collector() -> Upstream {
    Upstream::answering(|_| Reply::ok(""))
}

/// What was sent to a collector by OTLP, batch by batch.
pub(crate) fn batches(collector: &Upstream) -> Vec<ExportTraceServiceRequest> {
    let whole = collector.whole().into_iter();
    whole.map(|request| ExportTraceServiceRequest::decode(&*request.body).expect("OTLP")).collect()
}

/// All spans sent by OTLP so far.
pub(crate) fn spans(collector: &Upstream) -> Vec<Span> {
    let scopes = batches(collector).into_iter().flat_map(|batch| batch.resource_spans).flat_map(|of| of.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

/// All spans when there are so many; those of one request may come in several batches.
#[track_caller]
pub(crate) fn spans_of(collector: &Upstream, count: usize) -> Vec<Span> {
    eventually_some(SOON, || Some(spans(collector)).filter(|spans| spans.len() >= count))
}

/// The spans of Zipkin's JSON when there are so many.
#[track_caller]
pub(crate) fn zipkin_spans(collector: &Upstream, count: usize) -> Vec<Json> {
    eventually_some(SOON, || {
        let whole = collector.whole().into_iter();
        let batches = whole.map(|request| serde_json::from_slice::<Vec<Json>>(&request.body).expect("an array"));
        let spans: Vec<_> = batches.flatten().collect();
        (spans.len() >= count).then_some(spans)
    })
}

pub(crate) fn parent<'a>(spans: &'a [Span], span: &Span) -> Option<&'a Span> {
    spans.iter().find(|other| other.span_id == span.parent_span_id)
}

#[track_caller]
pub(crate) fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name} among {names:?}"))
}

/// An attribute's value as JSON would show it; null if it is not there.
pub(crate) fn value(attributes: &[KeyValue], key: &str) -> Json {
    let found = attributes.iter().find(|attribute| attribute.key == key);
    match found.and_then(|attribute| attribute.value.clone()) {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => text.into(),
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => number.into(),
        Some(AnyValue { value: Some(Value::DoubleValue(number)) }) => number.into(),
        _ => Json::Null,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
