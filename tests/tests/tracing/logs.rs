//! Traces in logs, and what the gateway logs at a collector.

use std::fs;

use opentelemetry_proto::tonic::{collector::logs::v1::ExportLogsServiceRequest, logs::v1::LogRecord};
use prost::Message;
use serde_json::{Value, json};
use towergate_tests::{Gateway, Port, Request, SOON, Upstream, eventually, eventually_some, proxying, proxying_to};

use crate::collector::{collector, hex, named, spans_of, value};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The lines sent to a collector so far.
fn records(collector: &Upstream) -> Vec<LogRecord> {
    let whole = collector.whole().into_iter();
    let batches = whole.map(|request| ExportLogsServiceRequest::decode(&*request.body).expect("OTLP"));
    let scopes = batches.flat_map(|batch| batch.resource_logs).flat_map(|of| of.scope_logs);
    scopes.flat_map(|scope| scope.log_records).collect()
}

fn body(record: &LogRecord) -> String {
    match record.body.clone().and_then(|body| body.value) {
        Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// A line with this in it, once it is there.
#[track_caller]
fn record(collector: &Upstream, part: &str) -> LogRecord {
    eventually_some(SOON, || records(collector).into_iter().find(|record| body(record).contains(part)))
}

/// A route to nowhere with the plugin, another without it.
fn document(endpoints: &str) -> String {
    let nowhere = format!("http://{}", Port::free().address());
    let document = proxying_to(&nowhere, &["retries: 0"]).replace("paths: [\"/\"]", "paths: [\"/traced\"]");
    format!(
        "{document}- {{name: other, url: \"{nowhere}\", retries: 0, routes: [{{name: quiet, paths: [\"/quiet\"]}}]}}\n\
         plugins:\n- {{name: opentelemetry, route: everything, config: {{{endpoints}, sampling_rate: 1, \
         queue: {{max_batch_size: 200, max_coalescing_delay: 0.1}}}}}}\n"
    )
}

/// Kong's "request-scoped logs": with trace, span and the request's id.
#[test]
fn what_is_logged_of_a_request_is_sent_with_its_trace() {
    let (traces, logs) = (collector(), collector());
    let (to_traces, to_logs) = (traces.url(), logs.url());
    let document = document(&format!("traces_endpoint: \"{to_traces}/\", logs_endpoint: \"{to_logs}/v1/logs\""));
    let gateway = Gateway::with(&document).setting("tracing_instrumentations", "request").start();
    assert_eq!(gateway.get("/quiet").status, 502);
    let answer = gateway.send(&Request::get("/traced").header("traceparent", TRACEPARENT));
    assert_eq!(answer.status, 502);
    let record = record(&logs, "Request not proxied");
    let root = named(&spans_of(&traces, 1), "kong").span_id.clone();
    assert_eq!((hex(&record.trace_id).as_str(), &record.span_id), (TRACE, &root));
    assert_eq!((record.severity_number, record.severity_text.as_str(), record.flags), (17, "ERR", 1));
    assert!(record.time_unix_nano > 0 && record.time_unix_nano == record.observed_time_unix_nano);
    let id = answer.header("x-kong-request-id").unwrap();
    assert_eq!(value(&record.attributes, "request.id"), json!(id));
    assert!(value(&record.attributes, "introspection.source").as_str().is_some_and(|file| file.ends_with(".rs")));
    assert!(value(&record.attributes, "introspection.current.line").is_number());
    // The error log has the same line; the other route's is in no collector.
    eventually(SOON, || gateway.log().contains(&body(&record)));
    let all = records(&logs);
    assert_eq!(all.iter().filter(|record| body(record).contains("Request not proxied")).count(), 1, "{all:?}");
}

/// Without `traces_endpoint` no trace is passed on; what is logged of no request is sent as well.
#[test]
fn what_is_logged_is_sent_without_traces() {
    let collector = collector();
    let document = document(&format!("logs_endpoint: \"{}/v1/logs\"", collector.url()));
    let gateway = Gateway::serving(&document);
    assert_eq!(gateway.get("/traced").status, 502);
    let of_request = record(&collector, "Request not proxied");
    assert!(of_request.trace_id.is_empty() && of_request.span_id.is_empty() && of_request.flags == 0);
    gateway.reload(&format!("{document}# again\n"));
    let of_none = record(&collector, "configuration reloaded");
    assert_eq!((of_none.severity_number, of_none.severity_text.as_str()), (11, "NOTICE"));
    assert_eq!(value(&of_none.attributes, "request.id"), Value::Null);
    let batch = collector.whole().remove(0);
    let batch = ExportLogsServiceRequest::decode(&*batch.body).unwrap().resource_logs.remove(0);
    assert_eq!(value(&batch.resource.unwrap().attributes, "service.name"), json!("kong"));
}

/// A collector that does not take lines harms nobody, and what is said of that is not sent to it.
#[test]
fn a_collector_of_logs_that_is_away_harms_nobody() {
    let nowhere = format!("http://{}/v1/logs", Port::free().address());
    let gateway = Gateway::serving(&document(&format!("logs_endpoint: \"{nowhere}\"")));
    for _ in 0..50 {
        assert_eq!(gateway.get("/traced").status, 502);
    }
    eventually(SOON, || gateway.log().contains(":logs: handler could not process entries"));
}

/// The trace's id in an access log and in a plugin's log is the one that the upstream and the collector get.
#[test]
fn logs_name_the_trace() {
    let (upstream, collector) = (Upstream::echo(), collector());
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("file.log");
    let document = format!(
        "{}plugins:\n- {{name: opentelemetry, config: {{traces_endpoint: \"{}\", sampling_rate: 1, \
         queue: {{max_coalescing_delay: 0.1}}, propagation: {{extract: [b3, w3c], inject: [preserve, datadog], \
         default_format: w3c}}}}}}\n- {{name: file-log, config: {{path: {}}}}}\n",
        proxying(&upstream),
        collector.url(),
        log.display()
    );
    let gateway = Gateway::with(&document)
        .setting("tracing_instrumentations", "request")
        .setting("proxy_access_log", "logs/access.log json")
        .setting("access_log_fields", "status, trace_id")
        .start();
    assert_eq!(gateway.send(&Request::get("/").header("traceparent", TRACEPARENT)).status, 200);
    let last = |path: &std::path::Path| -> Option<Value> {
        let text = fs::read_to_string(path).ok()?;
        serde_json::from_str(text.lines().last()?).ok()
    };
    let access = eventually_some(SOON, || last(&gateway.prefix().join("logs/access.log")));
    assert_eq!((&access["status"], &access["trace_id"]), (&json!(200), &json!(TRACE)));
    let entry = eventually_some(SOON, || last(&log));
    assert_eq!(entry["trace_id"], json!({"w3c": TRACE, "datadog": "9532127138774266268"}));
    assert!(upstream.only().header("traceparent").unwrap().contains(TRACE));
    assert_eq!(upstream.only().header("x-datadog-trace-id"), Some("9532127138774266268"));
    assert_eq!(hex(&named(&spans_of(&collector, 1), "kong").trace_id), TRACE);
}
