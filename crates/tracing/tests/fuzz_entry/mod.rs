//! Any bytes as headers of requests.

use http::{HeaderMap, HeaderName, HeaderValue};
use towergate_tracing::{
    SpanId, TraceId,
    propagation::{Format, Injected, Propagation},
};

const NAMES: [&str; 20] = [
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "uber-trace-id",
    "uberctx-a",
    "ot-tracer-traceid",
    "ot-tracer-spanid",
    "ot-tracer-sampled",
    "ot-baggage-a",
    "x-datadog-trace-id",
    "x-datadog-sampling-priority",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "x-instana-t",
    "x-instana-s",
];

/// Lines are separated by line feeds; the first byte of each chooses its name. Panics only if the crate does, or if it
/// answers with an id that is none.
pub(crate) fn run(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some((choice, value)) = line.split_first() else { continue };
        let name = NAMES.get(usize::from(*choice) % NAMES.len()).copied().unwrap_or("b3");
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    for format in Format::ALL {
        let propagation = Propagation::preserving(format).also_inject(Format::ALL);
        let from = propagation.read(&headers);
        let carried = from.carried.clone();
        assert!(carried.trace_id.is_none_or(|id| id.bits() != 0));
        let trace = Injected {
            trace_id: carried.trace_id.unwrap_or_else(TraceId::random),
            span_id: carried.span_id.unwrap_or_else(SpanId::random),
            parent_id: carried.parent_id,
            is_sampled: carried.is_sampled.unwrap_or_default(),
            is_debug: carried.is_debug,
            baggage: &carried.baggage,
        };
        propagation.write(&mut headers.clone(), &from, &trace);
    }
}
