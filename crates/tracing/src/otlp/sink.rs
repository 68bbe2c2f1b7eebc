//! Batches of spans on their way to a collector.

use http::{HeaderMap, HeaderValue, header};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{InstrumentationScope, KeyValue},
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

/// Delivers spans by OTLP, as protobuf over HTTP.
#[derive(Debug)]
pub(crate) struct Otlp {
    pub(crate) collector: Collector,
    /// What is said of whoever has made the spans.
    pub(crate) resource: Vec<KeyValue>,
    pub(crate) scope: InstrumentationScope,
}

impl Deliver<OtlpSpan> for Otlp {
    async fn deliver(&self, batch: &[OtlpSpan]) -> Result<(), String> {
        let spans = batch.iter().map(|span| span.0.clone()).collect();
        self.collector.post(self.request(spans).encode_to_vec()).await
    }
}

impl Otlp {
    fn request(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let resource = Resource { attributes: self.resource.clone(), ..Resource::default() };
        let scope_spans = vec![ScopeSpans { scope: Some(self.scope.clone()), spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }
    }
}

/// The headers of each request to the collector, if nobody says otherwise.
pub(crate) fn default_headers() -> HeaderMap {
    let kind = HeaderValue::from_static("application/x-protobuf");
    [(header::CONTENT_TYPE, kind)].into_iter().collect()
}
