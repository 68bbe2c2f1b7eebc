#![doc = include_str!("../README.md")]

mod begun;
mod clock;
mod collector;
mod ids;
mod layer;
mod logs;
mod opentelemetry;
mod otlp;
pub mod propagation;
mod sampling;
mod service;
mod zipkin;

pub use ids::{SpanId, TraceId};
pub use layer::{Live, TracedBody, TracedFuture, TracedLayer, TracedService, Tracer};
pub use logs::Logs;
pub use opentelemetry::{OpenTelemetry, OpenTelemetryConfig, OpenTelemetryTracer, TracedRequest};
pub use otlp::{ExporterError, OtlpExporter, OtlpSettings};
pub use service::{RouteOf, ServiceRequest, ServiceTracer, TraceLayer};
pub use zipkin::{StaticTag, Zipkin, ZipkinConfig, ZipkinRequest, ZipkinTracer};
