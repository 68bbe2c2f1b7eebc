//! Spans in OTLP, OpenTelemetry's protocol, as protobuf over HTTP.

mod attribute;
mod exporter;
mod sink;
mod span;

pub use self::exporter::{ExporterError, OtlpExporter, OtlpSettings};
pub(crate) use self::{
    attribute::{attribute, number, whole},
    sink::{Otlp, OtlpLog, OtlpSpan, default_headers},
    span::{SpanOf, built},
};
