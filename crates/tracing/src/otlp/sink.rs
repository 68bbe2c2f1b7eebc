//! Batches of spans, and of lines of a log, on their way to a collector.

use http::{HeaderMap, HeaderValue, header};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{InstrumentationScope, KeyValue},
    logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message;
use towergate_queue::{Deliver, Entry};

use crate::collector::Collector;

/// A span that waits.
#[derive(Debug, Clone)]
pub(crate) struct OtlpSpan(pub(crate) Span);

impl Entry for OtlpSpan {
    fn bytes(&self) -> usize {
        self.0.encoded_len()
    }
}

/// A line of a log that waits.
#[derive(Debug, Clone)]
pub(crate) struct OtlpLog(pub(crate) LogRecord);

impl Entry for OtlpLog {
    fn bytes(&self) -> usize {
        self.0.encoded_len()
    }
}

/// Delivers by OTLP, as protobuf over HTTP.
#[derive(Debug)]
pub(crate) struct Otlp {
    pub(crate) collector: Collector,
    /// What is said of whoever has made them.
    pub(crate) resource: Vec<KeyValue>,
    pub(crate) scope: InstrumentationScope,
}

impl Deliver<OtlpSpan> for Otlp {
    async fn deliver(&self, batch: &[OtlpSpan]) -> Result<(), String> {
        let spans = batch.iter().map(|span| span.0.clone()).collect();
        let scope_spans = vec![ScopeSpans { scope: Some(self.scope.clone()), spans, ..ScopeSpans::default() }];
        let of = ResourceSpans { resource: self.resource(), scope_spans, ..ResourceSpans::default() };
        self.collector.post(ExportTraceServiceRequest { resource_spans: vec![of] }.encode_to_vec()).await
    }
}

impl Deliver<OtlpLog> for Otlp {
    async fn deliver(&self, batch: &[OtlpLog]) -> Result<(), String> {
        let log_records = batch.iter().map(|line| line.0.clone()).collect();
        let scope_logs = vec![ScopeLogs { scope: Some(self.scope.clone()), log_records, ..ScopeLogs::default() }];
        let of = ResourceLogs { resource: self.resource(), scope_logs, ..ResourceLogs::default() };
        self.collector.post(ExportLogsServiceRequest { resource_logs: vec![of] }.encode_to_vec()).await
    }
}

impl Otlp {
    fn resource(&self) -> Option<Resource> {
        Some(Resource { attributes: self.resource.clone(), ..Resource::default() })
    }
}

/// The headers of each request to the collector, if nobody says otherwise.
pub(crate) fn default_headers() -> HeaderMap {
    let kind = HeaderValue::from_static("application/x-protobuf");
    [(header::CONTENT_TYPE, kind)].into_iter().collect()
}
