//! What is written.

use http::HeaderMap;

use super::super::*;
use crate::{SpanId, TraceId};

const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
const SPAN: u64 = 0xb7ad_6b71_6920_3331;
const PARENT: u64 = 0x00f0_67aa_0ba9_02b7;

fn trace(bytes: u8) -> Injected<'static> {
    Injected {
        trace_id: TraceId::received(TRACE, bytes).unwrap(),
        span_id: SpanId::new(SPAN).unwrap(),
        parent_id: SpanId::new(PARENT),
        is_sampled: true,
        is_debug: false,
        baggage: &[],
    }
}

fn written(format: Format, trace: &Injected<'_>) -> (Vec<String>, String) {
    let mut headers = HeaderMap::new();
    let id = format.inject(&mut headers, trace).text(trace.trace_id.bits());
    let lines = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    (lines, id)
}

#[test]
fn each_format_in_its_own_words() {
    let long = "0af7651916cd43dd8448eb211c80319c";
    let cases: &[(Format, &[&str], &str)] = &[
        (Format::W3c, &["traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"], long),
        (
            Format::B3,
            &[
                "x-b3-parentspanid: 00f067aa0ba902b7",
                "x-b3-sampled: 1",
                "x-b3-spanid: b7ad6b7169203331",
                "x-b3-traceid: 0af7651916cd43dd8448eb211c80319c",
            ],
            long,
        ),
        (Format::B3Single, &["b3: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1-00f067aa0ba902b7"], long),
        (
            Format::Jaeger,
            &["uber-trace-id: 0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:00f067aa0ba902b7:01"],
            long,
        ),
        (
            Format::Ot,
            &[
                "ot-tracer-sampled: 1",
                "ot-tracer-spanid: b7ad6b7169203331",
                "ot-tracer-traceid: 0af7651916cd43dd8448eb211c80319c",
            ],
            long,
        ),
        (
            Format::Datadog,
            &[
                "x-datadog-parent-id: 13235353014750950193",
                "x-datadog-sampling-priority: 1",
                "x-datadog-trace-id: 9532127138774266268",
            ],
            "9532127138774266268",
        ),
        (
            Format::Aws,
            &["x-amzn-trace-id: Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1"],
            long,
        ),
        (Format::Gcp, &["x-cloud-trace-context: 0af7651916cd43dd8448eb211c80319c/13235353014750950193;o=1"], long),
        (
            Format::Instana,
            &["x-instana-l: 1", "x-instana-s: b7ad6b7169203331", "x-instana-t: 0af7651916cd43dd8448eb211c80319c"],
            long,
        ),
    ];
    assert_eq!(cases.len(), Format::ALL.len());
    for (format, lines, id) in cases {
        let (written, trace_id) = written(*format, &trace(16));
        assert_eq!((written, &*trace_id), (lines.iter().map(|line| (*line).to_owned()).collect(), *id), "{format}");
    }
}

#[test]
fn what_is_not_sampled_is_said_to_be_so() {
    let unsampled = Injected { is_sampled: false, parent_id: None, ..trace(16) };
    for (format, line) in [
        (Format::W3c, "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
        (Format::B3, "x-b3-sampled: 0"),
        (Format::B3Single, "b3: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0"),
        (Format::Jaeger, "uber-trace-id: 0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:00"),
        (Format::Ot, "ot-tracer-sampled: 0"),
        (Format::Datadog, "x-datadog-sampling-priority: 0"),
        (Format::Aws, "x-amzn-trace-id: Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=0"),
        (Format::Gcp, "x-cloud-trace-context: 0af7651916cd43dd8448eb211c80319c/13235353014750950193;o=0"),
        (Format::Instana, "x-instana-l: 0"),
    ] {
        assert!(written(format, &unsampled).0.iter().any(|written| written == line), "{format}");
    }
}

#[test]
fn b3_debug_stands_in_place_of_sampled() {
    let debug = Injected { is_debug: true, parent_id: None, ..trace(16) };
    let (lines, _) = written(Format::B3, &debug);
    assert!(lines.contains(&"x-b3-flags: 1".to_owned()) && !lines.iter().any(|line| line.contains("sampled")));
    let (lines, _) = written(Format::B3Single, &debug);
    assert_eq!(lines, ["b3: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-d"]);
}

/// A trace's id keeps the size it came with where the format allows it, and else has the format's own.
#[test]
fn ids_have_the_size_they_came_with() {
    let own = Injected { trace_id: TraceId::random(), ..trace(16) };
    for (format, of_short, of_odd, of_own) in [
        (Format::W3c, 32, 32, 32),
        (Format::B3, 16, 32, 32),
        (Format::B3Single, 16, 32, 32),
        (Format::Jaeger, 16, 32, 32),
        (Format::Ot, 16, 16, 16),
        (Format::Aws, 32, 32, 32),
        (Format::Gcp, 32, 32, 32),
        (Format::Instana, 16, 32, 32),
    ] {
        let lengths = [trace(8), trace(5), own].map(|trace| written(format, &trace).1.len());
        assert_eq!(lengths, [of_short, of_odd, of_own], "{format}");
    }
}

#[test]
fn baggage_travels_where_it_can() {
    let baggage = [("who".to_owned(), "a b/ü".to_owned()), ("bad name".to_owned(), "x".to_owned())];
    let trace = Injected { baggage: &baggage, ..trace(16) };
    for (format, line) in
        [(Format::Jaeger, "uberctx-who: a%20b%2F%C3%BC"), (Format::Ot, "ot-baggage-who: a%20b%2F%C3%BC")]
    {
        let (lines, _) = written(format, &trace);
        assert!(lines.iter().any(|written| written == line), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains("bad name")));
    }
    assert_eq!(written(Format::W3c, &trace).0.len(), 1);
}
