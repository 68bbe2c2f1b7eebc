//! No header makes anything panic, and what is written can be read.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::super::*;
use crate::{SpanId, TraceId};

const NAMES: [&str; 18] = [
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
    "ot-baggage-b",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-amzn-trace-id",
    "x-cloud-trace-context",
    "x-instana-t",
];

fn headers() -> impl Strategy<Value = HeaderMap> {
    let name = proptest::sample::select(&NAMES[..]);
    let near = "[0-9a-fA-F]{0,33}[-:/;=]{0,2}[0-9a-fd]{0,17}[-:;=]?[0-9a-fA-Fo=]{0,17}[-:]?[0-9a-f]{0,17}";
    let value = prop_oneof![near.prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..80)];
    proptest::collection::vec((name, value), 0..8).prop_map(|lines| {
        let line = |(name, value): (&str, Vec<u8>)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(&value).ok()?))
        };
        lines.into_iter().filter_map(line).collect()
    })
}

proptest! {
    #[test]
    fn nothing_panics_and_ids_are_never_zero(headers in headers()) {
        for format in Format::ALL {
            if let Some(carried) = format.extract(&headers) {
                prop_assert!(carried.trace_id.is_none_or(|id| id.bits() != 0));
                prop_assert!(carried.trace_id.is_some() || carried.span_id.is_none());
                let trace = Injected {
                    trace_id: carried.trace_id.unwrap_or_else(TraceId::random),
                    span_id: carried.span_id.unwrap_or_else(SpanId::random),
                    parent_id: carried.parent_id,
                    is_sampled: carried.is_sampled.unwrap_or_default(),
                    is_debug: carried.is_debug,
                    baggage: &carried.baggage,
                };
                for format in Format::ALL {
                    format.inject(&mut headers.clone(), &trace);
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read(
        trace in 1_u128..,
        span in 1_u64..,
        parent in proptest::option::of(1_u64..),
        is_sampled: bool,
        value in ".{0,20}",
    ) {
        let baggage = [("k".to_owned(), value)];
        for format in Format::ALL {
            let injected = Injected {
                trace_id: TraceId::received(trace, 16).unwrap(),
                span_id: SpanId::new(span).unwrap(),
                parent_id: parent.and_then(SpanId::new),
                is_sampled,
                is_debug: false,
                baggage: &baggage,
            };
            let mut headers = HeaderMap::new();
            format.inject(&mut headers, &injected);
            let carried = format.extract(&headers);
            if format == Format::Datadog && trace & u128::from(u64::MAX) == 0 {
                continue;
            }
            let carried = carried.unwrap();
            let mask = if format == Format::Datadog { u128::from(u64::MAX) } else { u128::MAX };
            prop_assert_eq!(carried.trace_id.unwrap().bits(), trace & mask);
            prop_assert_eq!(carried.span_id, SpanId::new(span));
            prop_assert_eq!(carried.is_sampled, Some(is_sampled));
            if matches!(format, Format::B3 | Format::B3Single | Format::Jaeger) {
                prop_assert_eq!(carried.parent_id, parent.and_then(SpanId::new));
            }
            if matches!(format, Format::Jaeger | Format::Ot) {
                prop_assert_eq!(&carried.baggage[..], &baggage[..]);
            }
        }
    }
}
