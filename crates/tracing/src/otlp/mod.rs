//! Spans in OTLP, OpenTelemetry's protocol, as protobuf over HTTP.

mod attribute;
mod sink;
mod span;

pub(crate) use self::{
    attribute::{attribute, number, whole},
    sink::{Otlp, OtlpSpan, default_headers},
    span::{SpanOf, built},
};
