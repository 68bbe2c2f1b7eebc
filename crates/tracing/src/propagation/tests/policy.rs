//! Which formats are looked for and which go on, as configuration says.

use http::HeaderMap;

use super::{super::*, headers};
use crate::{SpanId, TraceId};

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

fn new(extract: &[&str], inject: &[&str], default: &str) -> PropagationConfig {
    PropagationConfig { extract: names(extract), clear: None, inject: names(inject), default_format: default.into() }
}

fn old(default: &str) -> PropagationConfig {
    PropagationConfig { default_format: default.into(), ..PropagationConfig::default() }
}

/// The tracing headers of a request with these lines after it was passed on.
fn passed_on(propagation: &Propagation, lines: &[(&str, &str)]) -> Vec<String> {
    let mut headers = headers(lines);
    let from = propagation.read(&headers);
    let trace_id = from.carried.trace_id.unwrap_or(TraceId::received(0x5, 16).unwrap());
    let trace = Injected {
        trace_id,
        span_id: SpanId::new(0x7).unwrap(),
        parent_id: None,
        is_sampled: true,
        is_debug: false,
        baggage: &from.carried.baggage,
    };
    propagation.write(&mut headers, &from, &trace);
    shown(&headers)
}

fn shown(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    lines
}

const W3C: (&str, &str) = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
const B3: (&str, &str) = ("b3", "0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-1");
const W3C_ON: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-0000000000000007-01";
const B3_ON: &str = "b3: 0af7651916cd43dd8448eb211c80319d-0000000000000007-1";
const W3C_NEW: &str = "traceparent: 00-00000000000000000000000000000005-0000000000000007-01";

#[test]
fn the_new_way() {
    let preserve = new(&["w3c", "b3"], &["preserve"], "w3c").resolve(None, None).unwrap();
    assert_eq!(passed_on(&preserve, &[W3C]), [W3C_ON]);
    assert_eq!(passed_on(&preserve, &[B3]), [B3_ON]);
    assert_eq!(passed_on(&preserve, &[]), [W3C_NEW]);
    // The first one in the list counts, and what is not looked for is left alone.
    assert_eq!(passed_on(&preserve, &[W3C, B3]), [format!("{}: {}", B3.0, B3.1), W3C_ON.to_owned()]);

    let many = new(&["b3"], &["preserve", "w3c", "gcp"], "b3").resolve(None, None).unwrap();
    let lines = passed_on(&many, &[B3]);
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line.contains("0af7651916cd43dd8448eb211c80319d")), "{lines:?}");

    // Nothing looked for: a new trace. Nothing written: the old header goes on as it is.
    assert_eq!(passed_on(&new(&[], &["w3c"], "b3").resolve(None, None).unwrap(), &[W3C]), [W3C_NEW]);
    let quiet = new(&["w3c"], &[], "b3").resolve(None, None).unwrap();
    assert_eq!(passed_on(&quiet, &[W3C]), [format!("{}: {}", W3C.0, W3C.1)]);

    let clearing = PropagationConfig { clear: names(&["b3", "X-Other"]), ..new(&["b3"], &["w3c"], "w3c") };
    let lines = passed_on(&clearing.resolve(None, None).unwrap(), &[B3, ("x-other", "1"), ("x-kept", "1")]);
    let on = "traceparent: 00-0af7651916cd43dd8448eb211c80319d-0000000000000007-01";
    assert_eq!(lines, [on, "x-kept: 1"]);
}

#[test]
fn the_old_way() {
    let preserve = old("w3c").resolve(Some("preserve"), None).unwrap();
    assert_eq!(passed_on(&preserve, &[B3]), [B3_ON]);
    assert_eq!(passed_on(&preserve, &[]), [W3C_NEW]);
    // B3 counts before W3C, in Kong's order of old.
    assert_eq!(passed_on(&preserve, &[W3C, B3]), [B3_ON.to_owned(), format!("{}: {}", W3C.0, W3C.1)]);
    // `tracestate` alone is no B3.
    assert_eq!(passed_on(&preserve, &[W3C, ("tracestate", "a=b")]), [W3C_ON, "tracestate: a=b"]);

    let ignore = old("w3c").resolve(Some("ignore"), Some("b3-single")).unwrap();
    let lines = passed_on(&ignore, &[W3C]);
    assert_eq!(lines[0], "b3: 00000000000000000000000000000005-0000000000000007-1");

    let w3c = old("b3").resolve(Some("w3c"), None).unwrap();
    let both = passed_on(&w3c, &[B3]);
    assert_eq!(both, [B3_ON, "traceparent: 00-0af7651916cd43dd8448eb211c80319d-0000000000000007-01"]);
    // The new way counts if anything is said in it.
    let new = new(&["w3c"], &["w3c"], "w3c").resolve(Some("ignore"), Some("b3")).unwrap();
    assert_eq!(passed_on(&new, &[W3C]), [W3C_ON]);
}

#[test]
fn the_builder_says_the_same() {
    assert_eq!(
        Propagation::preserving(Format::B3),
        PropagationConfig { default_format: "b3".into(), ..PropagationConfig::default() }
            .resolve(Some("preserve"), None)
            .unwrap()
    );
    let both = Propagation::preserving(Format::W3c).extract([Format::B3]).also_inject([Format::Gcp]);
    assert_eq!(both, new(&["b3"], &["preserve", "gcp"], "w3c").resolve(None, None).unwrap());
    assert_eq!(Propagation::beginning(Format::Ot), old("ot").resolve(Some("ignore"), None).unwrap());
}

#[test]
fn logs_get_the_id_in_each_format() {
    let many = new(&["b3"], &["preserve", "w3c", "datadog", "b3"], "b3").resolve(None, None).unwrap();
    let mut headers = headers(&[("b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1")]);
    let from = many.read(&headers);
    let trace = Injected {
        trace_id: from.carried.trace_id.unwrap(),
        span_id: SpanId::new(1).unwrap(),
        parent_id: None,
        is_sampled: true,
        is_debug: false,
        baggage: &[],
    };
    let hex = "0af7651916cd43dd8448eb211c80319c".to_owned();
    let expected = [("b3", hex.clone()), ("w3c", hex), ("datadog", "9532127138774266268".to_owned())];
    let written = many.write(&mut headers, &from, &trace);
    assert!(written.texts(trace.trace_id.bits()).eq(expected), "{written:?}");
}
