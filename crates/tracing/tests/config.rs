//! What an operator may write, and what is said about the rest.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_schema::{RecordSchema, fields};
use towergate_tracing::{OpenTelemetry, OpenTelemetryConfig, Zipkin, ZipkinConfig};

fn complete<C: RecordSchema>(mut written: Value) -> (Value, Value) {
    let problems = C::record().complete(&mut written);
    (written, fields(&problems))
}

const QUEUE: &str = r#"{"max_batch_size": 1, "max_coalescing_delay": 1, "max_entries": 10000, "max_bytes": null,
    "max_retry_time": 60, "initial_retry_delay": 0.01, "max_retry_delay": 60, "concurrency_limit": 1}"#;

fn queue(max_batch_size: u64) -> Value {
    let mut queue: Value = serde_json::from_str(QUEUE).unwrap();
    queue["max_batch_size"] = max_batch_size.into();
    queue
}

fn propagation(default: &str) -> Value {
    json!({"extract": null, "clear": null, "inject": null, "default_format": default})
}

#[test]
fn defaults_are_kongs() {
    let (config, problems) = complete::<OpenTelemetryConfig>(json!({"traces_endpoint": "http://a:4318/v1/traces"}));
    assert_eq!(problems, json!({}));
    let expected = json!({
        "traces_endpoint": "http://a:4318/v1/traces",
        "logs_endpoint": null,
        "headers": null,
        "resource_attributes": null,
        "queue": queue(200),
        "batch_span_count": null,
        "batch_flush_delay": null,
        "connect_timeout": 1000,
        "send_timeout": 5000,
        "read_timeout": 5000,
        "http_response_header_for_traceid": null,
        "header_type": "preserve",
        "sampling_rate": null,
        "sampling_strategy": "parent_drop_probability_fallback",
        "propagation": propagation("w3c"),
    });
    assert_eq!(config, expected);
    let typed: OpenTelemetryConfig = serde_json::from_value(config).unwrap();
    let default = OpenTelemetryConfig::default();
    assert_eq!(typed, OpenTelemetryConfig { traces_endpoint: Some("http://a:4318/v1/traces".into()), ..default });
    assert_eq!((OpenTelemetry::NAME, OpenTelemetry::PRIORITY), ("opentelemetry", 14));

    let (config, problems) = complete::<ZipkinConfig>(json!({}));
    assert_eq!(problems, json!({}));
    let expected = json!({
        "local_service_name": "kong",
        "http_endpoint": null,
        "sample_ratio": 0.001,
        "default_service_name": null,
        "include_credential": true,
        "traceid_byte_count": 16,
        "header_type": "preserve",
        "default_header_type": "b3",
        "tags_header": "Zipkin-Tags",
        "static_tags": null,
        "http_span_name": "method",
        "connect_timeout": 2000,
        "send_timeout": 5000,
        "read_timeout": 5000,
        "http_response_header_for_traceid": null,
        "phase_duration_flavor": "annotations",
        "queue": queue(1),
        "propagation": propagation("b3"),
    });
    assert_eq!(config, expected);
    assert_eq!(serde_json::from_value::<ZipkinConfig>(config).unwrap(), ZipkinConfig::default());
    assert_eq!((Zipkin::NAME, Zipkin::PRIORITY), ("zipkin", 100_000));
}

#[test]
fn good_ones_are_taken() {
    let endpoint = json!("https://collector.test/v1/traces");
    for mut config in [
        json!({"headers": {"X-Token": "a", "authorization": "{vault://env/token}"}}),
        json!({"resource_attributes": {"service.name": "shop", "team": "a"}}),
        json!({"queue": {"max_batch_size": 100, "max_retry_time": -1}}),
        json!({"sampling_rate": 0.5, "sampling_strategy": "parent_probability_fallback"}),
        json!({"header_type": "ignore", "http_response_header_for_traceid": "X-Trace"}),
        json!({"batch_span_count": 5, "batch_flush_delay": 2, "connect_timeout": 0}),
        json!({"propagation": {"extract": ["w3c", "instana"], "inject": ["preserve", "b3-single"], "clear": ["b3"],
            "default_format": "gcp"}}),
        json!({"logs_endpoint": "http://a/v1/logs"}),
    ] {
        config["traces_endpoint"] = endpoint.clone();
        let (config, problems) = complete::<OpenTelemetryConfig>(config);
        assert_eq!(problems, json!({}));
        assert!(OpenTelemetry::new(serde_json::from_value(config).unwrap(), &Env::default()).is_ok());
    }
    let (old, problems) = complete::<OpenTelemetryConfig>(json!({"endpoint": endpoint}));
    assert_eq!((problems, &old["traces_endpoint"]), (json!({}), &endpoint), "the old name");
    for config in [
        json!({"http_endpoint": "http://zipkin:9411/api/v2/spans", "sample_ratio": 1}),
        json!({"traceid_byte_count": 8, "include_credential": false, "http_span_name": "method_path"}),
        json!({"static_tags": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]}),
        json!({"header_type": "w3c", "default_header_type": "gcp", "phase_duration_flavor": "tags"}),
    ] {
        let (config, problems) = complete::<ZipkinConfig>(config);
        assert_eq!(problems, json!({}));
        assert!(Zipkin::new(serde_json::from_value(config).unwrap(), &Env::default()).is_ok());
    }
}

/// A field, what is written there, and what is said about it.
type Row = (&'static str, Value, Value);

/// Checks a table that has at least a row for each field.
fn check<C: RecordSchema>(good: &Value, rows: &[Row]) {
    let (config, problems) = complete::<C>(good.clone());
    assert_eq!(problems, json!({}));
    for (field, written, said) in rows {
        let mut config = good.clone();
        config[*field] = written.clone();
        assert_eq!(complete::<C>(config).1[*field], *said, "{field}: {written}");
    }
    for field in config.as_object().unwrap().keys() {
        assert!(rows.iter().any(|(named, ..)| named == field), "no row for {field}");
    }
}

/// What is said about the fields that both plugins have.
fn rows_of_both() -> Vec<Row> {
    let timeout = "value should be between 0 and 2147483646";
    let formats = "w3c, b3, jaeger, ot, datadog, aws, gcp, instana";
    let with_single = "w3c, b3, b3-single, jaeger, ot, datadog, aws, gcp, instana";
    let mut rows = vec![
        ("connect_timeout", json!(-1), json!(timeout)),
        ("connect_timeout", json!("x"), json!("expected an integer")),
        ("send_timeout", json!(2_147_483_647_u32), json!(timeout)),
        ("send_timeout", json!(0.5), json!("expected an integer")),
        ("read_timeout", json!(-1), json!(timeout)),
        ("http_response_header_for_traceid", json!(1), json!("expected a string")),
        ("http_response_header_for_traceid", json!(""), json!("length must be at least 1")),
        ("queue", json!("x"), json!("expected a record")),
        ("propagation", json!("x"), json!("expected a record")),
        ("nonsense", json!(1), json!("unknown field")),
    ];
    for (field, written, said) in [
        ("max_batch_size", json!(0), "value should be between 1 and 1000000"),
        ("max_coalescing_delay", json!(3601), "value should be between 0 and 3600"),
        ("max_entries", json!(0), "value should be between 1 and 1000000"),
        ("max_bytes", json!("x"), "expected an integer"),
        ("max_retry_time", json!("x"), "expected a number"),
        // Kong writes its bounds without fractions.
        ("initial_retry_delay", json!(0), "value should be between 0 and 1000000"),
        ("max_retry_delay", json!(0), "value should be between 0 and 1000000"),
        ("concurrency_limit", json!(2), "expected one of: -1, 1"),
    ] {
        rows.push(("queue", json!({field: written}), json!({field: said})));
    }
    for (field, written, said) in [
        ("extract", json!(["b3-single"]), json!([format!("expected one of: {formats}")])),
        ("inject", json!(["b4"]), json!([format!("expected one of: preserve, {with_single}")])),
        ("extract", json!("w3c"), json!("expected an array")),
        ("clear", json!(["a b"]), json!(["bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'"])),
        ("default_format", json!("preserve"), json!(format!("expected one of: {with_single}"))),
        ("default_format", json!(null), json!("required field missing")),
    ] {
        let mut written = json!({field: written});
        if field != "default_format" {
            written["default_format"] = "w3c".into();
        }
        rows.push(("propagation", written, json!({field: said})));
    }
    rows
}

const NO_HEADER: &str = "bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'";

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let at_least_one =
        json!({"@entity": ["at least one of these fields must be non-empty: 'traces_endpoint', 'logs_endpoint'"]});
    assert_eq!(complete::<OpenTelemetryConfig>(json!({})).1, at_least_one);
    let types = "expected one of: preserve, ignore, b3, b3-single, w3c, jaeger, ot, aws, gcp, datadog, instana";
    let strategies = "expected one of: parent_drop_probability_fallback, parent_probability_fallback";
    let mut rows = rows_of_both();
    rows.extend([
        ("traces_endpoint", json!("a"), json!("missing host in url")),
        ("traces_endpoint", json!(1), json!("expected a string")),
        ("logs_endpoint", json!("a:4318"), json!("missing host in url")),
        ("headers", json!({"a b": "1"}), json!(NO_HEADER)),
        ("headers", json!("x"), json!("expected a map")),
        ("resource_attributes", json!({"a": ""}), json!("length must be at least 1")),
        ("resource_attributes", json!({"a": 1}), json!("expected a string")),
        ("batch_span_count", json!("x"), json!("expected an integer")),
        ("batch_flush_delay", json!(0.5), json!("expected an integer")),
        ("header_type", json!("zipkin"), json!(types)),
        ("sampling_rate", json!(1.5), json!("value should be between 0 and 1")),
        ("sampling_rate", json!("x"), json!("expected a number")),
        ("sampling_strategy", json!("always"), json!(strategies)),
    ]);
    check::<OpenTelemetryConfig>(&json!({"traces_endpoint": "http://a/"}), &rows);
}

#[test]
fn bad_ones_of_zipkin_are_refused_in_kongs_words() {
    let protected = "must not be one of: error, http.method, http.path, http.status_code, kong.balancer.state, \
                     kong.balancer.try, kong.consumer, kong.credential, kong.node.id, kong.route, kong.service, lc, \
                     peer.hostname";
    let formats = "b3, b3-single, w3c, jaeger, ot, aws, datadog, gcp, instana";
    let mut rows = rows_of_both();
    rows.extend([
        ("local_service_name", json!(""), json!("length must be at least 1")),
        ("http_endpoint", json!("a"), json!("missing host in url")),
        ("sample_ratio", json!(-1), json!("value should be between 0 and 1")),
        ("default_service_name", json!(1), json!("expected a string")),
        ("include_credential", json!("yes"), json!("expected a boolean")),
        ("traceid_byte_count", json!(32), json!("expected one of: 8, 16")),
        ("header_type", json!("zipkin"), json!(format!("expected one of: preserve, ignore, {formats}"))),
        ("default_header_type", json!("ignore"), json!(format!("expected one of: {formats}"))),
        ("tags_header", json!(1), json!("expected a string")),
        ("static_tags", json!("x"), json!("expected an array")),
        ("static_tags", json!([{"name": "lc", "value": "x"}]), json!([{"name": protected}])),
        ("static_tags", json!([{"name": "a"}]), json!([{"value": "required field missing"}])),
        (
            "static_tags",
            json!([{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]),
            json!("repeated tags are not allowed: a"),
        ),
        ("http_span_name", json!("path"), json!("expected one of: method, method_path")),
        ("phase_duration_flavor", json!("both"), json!("expected one of: annotations, tags")),
    ]);
    check::<ZipkinConfig>(&json!({}), &rows);
}

/// What no schema can say.
#[test]
fn headers_that_are_none_are_refused() {
    let with = |change: fn(&mut ZipkinConfig)| {
        let mut config = ZipkinConfig::default();
        change(&mut config);
        Zipkin::new(config, &Env::default()).unwrap_err().to_string()
    };
    assert_eq!(with(|config| config.tags_header = "a b".into()), "tags_header: is not a header's name");
    let said = with(|config| config.http_response_header_for_traceid = Some("a b".into()));
    assert_eq!(said, "http_response_header_for_traceid: is not a header's name");
    let config = OpenTelemetryConfig {
        traces_endpoint: Some("http://a/".into()),
        headers: Some([("X-Token".to_owned(), "line\nbreak".to_owned())].into()),
        ..OpenTelemetryConfig::default()
    };
    let said = OpenTelemetry::new(config, &Env::default()).unwrap_err().to_string();
    assert!(said.starts_with("headers: ") && !said.contains("break"), "{said}");
}
