//! Writing a trace into the headers of a request.

use http::HeaderMap;
use towergate_core::IdForm;

use super::{Format, aws, b3, datadog, gcp, instana, jaeger, ot, w3c};
use crate::ids::{SpanId, TraceId};

/// A trace as it goes upstream.
#[derive(Debug, Clone, Copy)]
pub struct Injected<'a> {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that the upstream's spans are children of.
    pub span_id: SpanId,
    /// Its parent.
    pub parent_id: Option<SpanId>,
    /// Whether the trace is recorded.
    pub is_sampled: bool,
    /// Whether that is so in any case (B3's debug flag).
    pub is_debug: bool,
    /// What else travels with it, in formats that can carry it.
    pub baggage: &'a [(String, String)],
}

impl Format {
    /// Writes a trace in this format, in place of what was there; answers how the trace's id is written.
    pub fn inject(self, headers: &mut HeaderMap, trace: &Injected<'_>) -> IdForm {
        match self {
            Self::W3c => w3c::inject(headers, trace),
            Self::B3 => b3::inject(headers, trace),
            Self::B3Single => b3::inject_single(headers, trace),
            Self::Jaeger => jaeger::inject(headers, trace),
            Self::Ot => ot::inject(headers, trace),
            Self::Datadog => datadog::inject(headers, trace),
            Self::Aws => aws::inject(headers, trace),
            Self::Gcp => gcp::inject(headers, trace),
            Self::Instana => instana::inject(headers, trace),
        }
    }
}
