//! What headers say.

use super::{super::*, headers};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SHORT: &str = "8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
const PARENT: &str = "00f067aa0ba902b7";

/// Trace, span, parent, sampled: as hexadecimal digits, empty for none.
type Said<'a> = (&'a str, &'a str, &'a str, Option<bool>);

/// Lines of headers, and what they say; `None` if nothing.
type Case<'a> = (&'a [(&'a str, &'a str)], Option<Said<'a>>);

fn check(format: Format, cases: &[Case<'_>]) {
    for (lines, expected) in cases {
        let found = format.extract(&headers(lines));
        let said = found.as_ref().map(|carried| {
            let trace = carried.trace_id.map(|id| id.hex(id.size(crate::ids::Size::Sixteen)));
            let hex = |id: Option<crate::SpanId>| id.map(crate::SpanId::hex).unwrap_or_default();
            (trace.unwrap_or_default(), hex(carried.span_id), hex(carried.parent_id), carried.is_sampled)
        });
        let said = said.as_ref().map(|(trace, span, parent, sampled)| (&**trace, &**span, &**parent, *sampled));
        assert_eq!(said, *expected, "{format}: {lines:?}");
    }
}

/// <https://www.w3.org/TR/trace-context/#traceparent-header>
#[test]
fn w3c() {
    let with = |text: &str| format!("00-{TRACE}-{SPAN}-{text}");
    let (sampled, unsampled, both) = (with("01"), with("00"), with("03"));
    check(
        Format::W3c,
        &[
            (&[("traceparent", &sampled)], Some((TRACE, SPAN, "", Some(true)))),
            (&[("traceparent", &unsampled)], Some((TRACE, SPAN, "", Some(false)))),
            (&[("traceparent", &both)], Some((TRACE, SPAN, "", Some(true)))),
            (&[("traceparent", &sampled), ("traceparent", &sampled)], None),
            (&[("traceparent", "")], None),
            (&[("tracestate", "a=b")], None),
        ],
    );
    for wrong in [
        format!("01-{TRACE}-{SPAN}-01"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("00-{}-{SPAN}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{SHORT}-{SPAN}-01"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-zz"),
        format!("00-{TRACE}-{SPAN}-01-extra"),
        format!("00-{TRACE}x-{SPAN}-01"),
        format!("00_{TRACE}_{SPAN}_01"),
    ] {
        check(Format::W3c, &[(&[("traceparent", &wrong)], None)]);
    }
}

/// <https://github.com/openzipkin/b3-propagation>
#[test]
fn b3_in_several_headers() {
    let ids = [("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN)];
    let parented = [ids[0], ids[1], ("x-b3-parentspanid", PARENT), ("x-b3-sampled", "1")];
    check(
        Format::B3,
        &[
            (&ids, Some((TRACE, SPAN, "", None))),
            (&parented, Some((TRACE, SPAN, PARENT, Some(true)))),
            (&[("x-b3-traceid", SHORT), ids[1], ("x-b3-sampled", "false")], Some((SHORT, SPAN, "", Some(false)))),
            (&[("x-b3-sampled", "0")], Some(("", "", "", Some(false)))),
            (&[("x-b3-flags", "1")], Some(("", "", "", Some(true)))),
            (&[("x-b3-flags", "1"), ("x-b3-sampled", "0")], Some(("", "", "", Some(true)))),
            (&[("x-b3-sampled", "maybe"), ids[0], ids[1]], Some((TRACE, SPAN, "", None))),
            // One id that is none, and none of them counts.
            (&[ids[0], ("x-b3-spanid", "xyz"), ("x-b3-sampled", "1")], Some(("", "", "", Some(true)))),
            (&[("x-b3-traceid", "1234"), ids[1]], Some(("", "", "", None))),
            (&[ids[1]], Some(("", "", "", None))),
            (&[], None),
        ],
    );
    let carried = Format::B3.extract(&headers(&[("x-b3-flags", "1")])).unwrap();
    assert!(carried.is_debug && carried.shares_span && !carried.is_single);
}

#[test]
fn b3_in_one_header() {
    let text = |rest: &str| format!("{TRACE}-{SPAN}{rest}");
    for (value, expected) in [
        (text(""), (TRACE, SPAN, "", None)),
        (text("-1"), (TRACE, SPAN, "", Some(true))),
        (text("-d"), (TRACE, SPAN, "", Some(true))),
        (text("-0"), (TRACE, SPAN, "", Some(false))),
        (text(&format!("-1-{PARENT}")), (TRACE, SPAN, PARENT, Some(true))),
        (format!("{SHORT}-{SPAN}-0-{PARENT}"), (SHORT, SPAN, PARENT, Some(false))),
        // Kong reads these without dashes, too.
        (text(&format!("1{PARENT}")), (TRACE, SPAN, PARENT, Some(true))),
        ("1".into(), ("", "", "", Some(true))),
        ("d".into(), ("", "", "", Some(true))),
        ("0".into(), ("", "", "", Some(false))),
        // What is no B3 begins a trace, and goes on as B3.
        ("nonsense".into(), ("", "", "", None)),
        (text("-1-12"), ("", "", "", None)),
        (format!("{TRACE}0-{SPAN}-1"), ("", "", "", None)),
    ] {
        check(Format::B3, &[(&[("b3", &value)], Some(expected))]);
        assert!(Format::B3.extract(&headers(&[("b3", &value)])).unwrap().is_single);
    }
    let state = format!("b3={TRACE}-{SPAN}-1");
    check(Format::B3, &[(&[("tracestate", &state)], Some((TRACE, SPAN, "", Some(true))))]);
    check(Format::B3, &[(&[("tracestate", "vendor=1")], None)]);
    // The one header counts before the others.
    let both = [("b3", "0"), ("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-sampled", "1")];
    check(Format::B3, &[(&both, Some((TRACE, SPAN, "", Some(false))))]);
}

/// <https://www.jaegertracing.io/docs/1.29/client-libraries/#propagation-format>
#[test]
fn jaeger() {
    for (value, expected) in [
        (format!("{TRACE}:{SPAN}:0:1"), Some((TRACE, SPAN, "", Some(true)))),
        (format!("{TRACE}:{SPAN}:{PARENT}:00"), Some((TRACE, SPAN, PARENT, Some(false)))),
        (format!("{SHORT}:{SPAN}:0:3"), Some((SHORT, SPAN, "", Some(true)))),
        ("5b2:a1:0:0".into(), Some(("000000000000000000000000000005b2", "00000000000000a1", "", Some(false)))),
        (format!("{TRACE}:{SPAN}:0:111"), None),
        (format!("0:{SPAN}:0:1"), None),
        (format!("{TRACE}:0:0:1"), None),
        (format!("{TRACE}0:{SPAN}:0:1"), None),
        (format!("{TRACE}:{SPAN}:x:1"), None),
        (format!("{TRACE}:{SPAN}:1"), None),
        (String::new(), None),
    ] {
        check(Format::Jaeger, &[(&[("uber-trace-id", &value)], expected)]);
    }
    let value = format!("{TRACE}:{SPAN}:0:1");
    let lines = [("uber-trace-id", &*value), ("uberctx-who", "a%20b+c"), ("uberctx-", "none")];
    assert_eq!(Format::Jaeger.extract(&headers(&lines)).unwrap().baggage, [("who".to_owned(), "a b c".to_owned())]);
}

/// <https://github.com/opentracing/specification/blob/master/rfc/trace_identifiers.md>, and Kong's documentation.
#[test]
fn ot() {
    let ids = [("ot-tracer-traceid", SHORT), ("ot-tracer-spanid", SPAN)];
    check(
        Format::Ot,
        &[
            (&ids, Some((SHORT, SPAN, "", None))),
            (
                &[("ot-tracer-traceid", TRACE), ids[1], ("ot-tracer-sampled", "true")],
                Some((TRACE, SPAN, "", Some(true))),
            ),
            (&[("ot-tracer-sampled", "0")], Some(("", "", "", Some(false)))),
            (&[("ot-tracer-traceid", "1"), ids[1]], None),
            (&[ids[0], ("ot-tracer-spanid", "1"), ("ot-tracer-sampled", "1")], Some(("", "", "", Some(true)))),
            (&[ids[1]], None),
        ],
    );
    let lines = [ids[0], ids[1], ("ot-baggage-a", "%F0%9F%98%80")];
    assert_eq!(Format::Ot.extract(&headers(&lines)).unwrap().baggage, [("a".to_owned(), "😀".to_owned())]);
}

/// <https://docs.datadoghq.com/tracing/trace_collection/trace_context_propagation/>
#[test]
fn datadog() {
    let ids = [("x-datadog-trace-id", "9532127138774266268"), ("x-datadog-parent-id", "13235353014750950193")];
    check(
        Format::Datadog,
        &[
            (&ids, Some((SHORT, SPAN, "", None))),
            (&[ids[0], ids[1], ("x-datadog-sampling-priority", "2")], Some((SHORT, SPAN, "", Some(true)))),
            (&[ids[0], ids[1], ("x-datadog-sampling-priority", "-1")], Some((SHORT, SPAN, "", Some(false)))),
            (&[ids[0], ids[1], ("x-datadog-sampling-priority", "3")], None),
            (&[("x-datadog-sampling-priority", "1")], Some(("", "", "", Some(true)))),
            (&[("x-datadog-trace-id", "abc"), ids[1]], None),
            (&[("x-datadog-trace-id", "0"), ids[1]], None),
            (&[ids[1]], None),
        ],
    );
}

/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>
#[test]
fn aws() {
    let root = "Root=1-0af76519-16cd43dd8448eb211c80319c";
    for (value, expected) in [
        (format!("{root};Parent={SPAN};Sampled=1"), Some((TRACE, SPAN, "", Some(true)))),
        (format!(" Sampled = 0 ; {root};Lineage=a:1 ; Parent={SPAN}"), Some((TRACE, SPAN, "", Some(false)))),
        (root.to_owned(), Some((TRACE, "", "", None))),
        ("Sampled=1".into(), Some(("", "", "", Some(true)))),
        (format!("{root};Sampled=?"), None),
        (format!("{root};Parent=12"), None),
        ("Root=2-0af76519-16cd43dd8448eb211c80319c".into(), None),
        ("Root=1-0af76519-16cd43dd8448eb211c80319".into(), None),
        ("Root=1-0af765191-6cd43dd8448eb211c80319c".into(), None),
        ("Self=1".into(), None),
    ] {
        check(Format::Aws, &[(&[("x-amzn-trace-id", &value)], expected)]);
    }
}

/// <https://cloud.google.com/trace/docs/trace-context#legacy-http-header>
#[test]
fn gcp() {
    for (value, expected) in [
        (format!("{TRACE}/13235353014750950193;o=1"), Some((TRACE, SPAN, "", Some(true)))),
        (format!("{TRACE}/13235353014750950193;o=0"), Some((TRACE, SPAN, "", Some(false)))),
        (format!("{TRACE}/1"), Some((TRACE, "0000000000000001", "", Some(false)))),
        (format!("{}/1", TRACE.to_uppercase()), None),
        (format!("{TRACE}/x"), None),
        (format!("{TRACE}/123456789012345678901"), None),
        (format!("{TRACE}/1;o=10"), None),
        (format!("{TRACE}/1;p=1"), None),
        (TRACE.to_owned(), None),
    ] {
        check(Format::Gcp, &[(&[("x-cloud-trace-context", &value)], expected)]);
    }
}

/// <https://www.ibm.com/docs/en/instana-observability/current?topic=monitoring-traces>
#[test]
fn instana() {
    let ids = [("x-instana-t", TRACE), ("x-instana-s", SPAN)];
    check(
        Format::Instana,
        &[
            (&[ids[0], ids[1], ("x-instana-l", "1")], Some((TRACE, SPAN, "", Some(true)))),
            (&[("x-instana-t", SHORT), ids[1], ("x-instana-l", "0")], Some((SHORT, SPAN, "", Some(false)))),
            (
                &[ids[0], ids[1], ("x-instana-l", "1,correlationType=web;correlationId=12ab")],
                Some((TRACE, SPAN, "", Some(true))),
            ),
            (&ids, Some((TRACE, SPAN, "", None))),
            (&[("x-instana-t", "12"), ids[1]], None),
            (&[ids[0]], None),
            (&[("x-instana-l", "1")], None),
        ],
    );
}
