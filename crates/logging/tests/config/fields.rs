//! Each field with a value that is none, and Kong's words for it. A field that has no line here fails the test.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use towergate_logging::{
    DatadogConfig, DatadogMetricConfig, FileLogConfig, HttpLogConfig, LogglyConfig, MetricConfig, StatsdConfig,
    SyslogConfig, TcpLogConfig, UdpLogConfig,
};
use towergate_schema::{RecordSchema, fields};

/// What is said about these values, each put into a configuration that is sound otherwise.
#[track_caller]
fn said<C: RecordSchema>(sound: &Value, cases: &[(&str, Value, &str)]) {
    let record = C::record();
    let known: BTreeSet<_> = record.fields().map(|(name, _)| name).collect();
    let tried: BTreeSet<_> = cases.iter().map(|(field, ..)| *field).collect();
    assert_eq!(tried, known, "each field has a line");
    assert!(record.complete(&mut sound.clone()).is_empty(), "{sound} is sound");
    for (field, value, words) in cases {
        let mut config = sound.clone();
        config[*field] = value.clone();
        let problems = fields(&record.complete(&mut config));
        assert_eq!(problems[*field], *words, "{field}: {value}: {problems}");
    }
}

const SEVERITIES: &str = "expected one of: debug, info, notice, warning, err, crit, alert, emerg";
const CONSUMERS: &str = "expected one of: consumer_id, custom_id, username";
const SERVICES: &str = "expected one of: service_id, service_name, service_host, service_name_or_host";
const PORTS: &str = "value should be between 0 and 65535";

#[test]
fn of_what_writes_lines() {
    said::<FileLogConfig>(
        &json!({"path": "/tmp/a.log"}),
        &[
            ("path", json!("/tmp/a%.log"), "not a valid filename"),
            ("path", json!(1), "expected a string"),
            ("path", json!(null), "required field missing"),
            ("reopen", json!("yes"), "expected a boolean"),
            ("custom_fields_by_lua", json!("return 1"), "expected a map"),
        ],
    );
    said::<SyslogConfig>(
        &json!({}),
        &[
            ("log_level", json!("warn"), SEVERITIES),
            ("successful_severity", json!("ok"), SEVERITIES),
            ("client_errors_severity", json!("error"), SEVERITIES),
            ("server_errors_severity", json!(3), "expected a string"),
            ("custom_fields_by_lua", json!([1]), "expected a map"),
            (
                "facility",
                json!("local8"),
                "expected one of: auth, authpriv, cron, daemon, ftp, kern, lpr, mail, news, syslog, user, uucp, local0, \
                 local1, local2, local3, local4, local5, local6, local7",
            ),
        ],
    );
    said::<LogglyConfig>(
        &json!({"key": "k"}),
        &[
            ("host", json!("a b"), "invalid value: a b"),
            ("port", json!(65536), PORTS),
            ("key", json!(null), "required field missing"),
            ("key", json!(7), "expected a string"),
            ("tags", json!("kong"), "expected a set"),
            ("log_level", json!("warn"), SEVERITIES),
            ("successful_severity", json!("ok"), SEVERITIES),
            ("client_errors_severity", json!("error"), SEVERITIES),
            ("server_errors_severity", json!("error"), SEVERITIES),
            ("timeout", json!("1s"), "expected a number"),
            ("custom_fields_by_lua", json!(true), "expected a map"),
        ],
    );
}

#[test]
fn of_what_sends_entries() {
    let collector = json!({"host": "a.test", "port": 1});
    said::<UdpLogConfig>(
        &collector,
        &[
            ("host", json!(null), "required field missing"),
            ("host", json!("a.test:80"), "must not have a port"),
            ("port", json!(null), "required field missing"),
            ("port", json!(-1), PORTS),
            ("timeout", json!("1s"), "expected a number"),
            ("custom_fields_by_lua", json!(1), "expected a map"),
        ],
    );
    said::<TcpLogConfig>(
        &collector,
        &[
            ("host", json!(null), "required field missing"),
            ("host", json!("a b"), "invalid value: a b"),
            ("port", json!("80"), "expected an integer"),
            ("timeout", json!([]), "expected a number"),
            ("keepalive", json!("1s"), "expected a number"),
            ("tls", json!("on"), "expected a boolean"),
            ("tls_sni", json!(1), "expected a string"),
            ("custom_fields_by_lua", json!(1), "expected a map"),
        ],
    );
    said::<HttpLogConfig>(
        &json!({"http_endpoint": "http://a.test"}),
        &[
            ("http_endpoint", json!(null), "required field missing"),
            ("http_endpoint", json!("a.test"), "missing host in url"),
            ("method", json!("GET"), "expected one of: POST, PUT, PATCH"),
            ("content_type", json!("text/plain"), "expected one of: application/json, application/json; charset=utf-8"),
            ("timeout", json!("1s"), "expected a number"),
            ("keepalive", json!("1s"), "expected a number"),
            ("retry_count", json!(1.5), "expected an integer"),
            ("queue_size", json!("1"), "expected an integer"),
            ("flush_timeout", json!("2"), "expected a number"),
            ("headers", json!({"content-type": "a/b"}), "cannot contain 'Content-Type' header"),
            ("headers", json!("X: y"), "expected a map"),
            ("queue", json!(7), "expected a record"),
            ("custom_fields_by_lua", json!(1), "expected a map"),
        ],
    );
}

#[test]
fn of_what_sends_numbers() {
    said::<StatsdConfig>(
        &json!({}),
        &[
            ("host", json!("a b"), "invalid value: a b"),
            ("port", json!(70000), PORTS),
            ("prefix", json!(1), "expected a string"),
            ("metrics", json!("all"), "expected an array"),
            ("allow_status_codes", json!("200-299"), "expected an array"),
            ("udp_packet_size", json!(65508), "value should be between 0 and 65507"),
            ("use_tcp", json!(1), "expected a boolean"),
            ("hostname_in_prefix", json!(1), "expected a boolean"),
            ("consumer_identifier_default", json!("id"), CONSUMERS),
            ("service_identifier_default", json!("id"), SERVICES),
            ("workspace_identifier_default", json!("id"), "expected one of: workspace_id, workspace_name"),
            ("retry_count", json!("1"), "expected an integer"),
            ("queue_size", json!(1.5), "expected an integer"),
            ("flush_timeout", json!("2"), "expected a number"),
            ("tag_style", json!("statsd"), "expected one of: dogstatsd, influxdb, librato, signalfx"),
            ("queue", json!("x"), "expected a record"),
        ],
    );
    said::<MetricConfig>(
        &json!({"name": "latency", "stat_type": "timer"}),
        &[
            (
                "name",
                json!("latencies"),
                "expected one of: kong_latency, latency, request_count, request_per_user, request_size, response_size, \
                 status_count, status_count_per_user, unique_users, upstream_latency, status_count_per_workspace, \
                 status_count_per_user_per_route, shdict_usage",
            ),
            ("stat_type", json!("count"), "expected one of: counter, gauge, histogram, meter, set, timer"),
            ("sample_rate", json!(0), "value must be greater than 0"),
            ("consumer_identifier", json!("id"), CONSUMERS),
            ("service_identifier", json!("id"), SERVICES),
            ("workspace_identifier", json!("id"), "expected one of: workspace_id, workspace_name"),
        ],
    );
    said::<DatadogConfig>(
        &json!({}),
        &[
            ("host", json!("a b"), "invalid value: a b"),
            ("port", json!(70000), PORTS),
            ("prefix", json!(1), "expected a string"),
            ("service_name_tag", json!(1), "expected a string"),
            ("status_tag", json!(1), "expected a string"),
            ("consumer_tag", json!(1), "expected a string"),
            ("retry_count", json!("1"), "expected an integer"),
            ("queue_size", json!(1.5), "expected an integer"),
            ("flush_timeout", json!("2"), "expected a number"),
            ("queue", json!("x"), "expected a record"),
            ("metrics", json!("all"), "expected an array"),
        ],
    );
    said::<DatadogMetricConfig>(
        &json!({"name": "latency", "stat_type": "timer"}),
        &[
            (
                "name",
                json!("status_count"),
                "expected one of: kong_latency, latency, request_count, request_size, response_size, upstream_latency",
            ),
            ("stat_type", json!("x"), "expected one of: counter, gauge, histogram, meter, set, timer, distribution"),
            ("tags", json!("a"), "expected an array"),
            ("sample_rate", json!(1.5), "value should be between 0 and 1"),
            ("consumer_identifier", json!("id"), CONSUMERS),
        ],
    );
}
