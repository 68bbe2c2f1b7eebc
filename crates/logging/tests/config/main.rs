//! Kong's fields, defaults and words, and what each field does.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod fields;
mod http;
mod lines;
mod numbers;
mod scene;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_logging::{
    Datadog, DatadogConfig, FileLog, FileLogConfig, HttpLog, HttpLogConfig, Loggly, LogglyConfig, Statsd, StatsdConfig,
    Syslog, SyslogConfig, TcpLog, TcpLogConfig, UdpLog, UdpLogConfig,
};
use towergate_schema::{RecordSchema, message};

fn completed<C: RecordSchema>(mut value: Value) -> Result<Value, String> {
    let problems = C::record().complete(&mut value);
    if problems.is_empty() { Ok(value) } else { Err(message(&problems)) }
}

/// What Kong refuses, and in which words.
fn refused<C: RecordSchema>(cases: &[(Value, &str)]) {
    for (value, told) in cases {
        assert_eq!(completed::<C>(value.clone()).unwrap_err(), *told, "{value}");
    }
}

/// The policy of a configuration that is nothing but defaults and what must be given.
fn built<P: Plugin<Config: RecordSchema + DeserializeOwned + PartialEq + Default + std::fmt::Debug>>(
    given: Value,
) -> P {
    let value = completed::<P::Config>(given).unwrap();
    P::new(serde_json::from_value(value).unwrap(), &Env::default()).map_err(|error| error.to_string()).unwrap()
}

#[test]
fn each_plugin_is_made_of_what_must_be_given() {
    built::<FileLog>(json!({"path": "/tmp/a.log"}));
    built::<HttpLog>(json!({"http_endpoint": "http://a.test/x"}));
    built::<TcpLog>(json!({"host": "a.test", "port": 1}));
    built::<UdpLog>(json!({"host": "a.test", "port": 1}));
    built::<Syslog>(json!({}));
    built::<Loggly>(json!({"key": "k"}));
    built::<Statsd>(json!({}));
    built::<Datadog>(json!({}));
}

#[test]
fn defaults_are_kongs() {
    let queue = json!({
        "max_batch_size": 1, "max_coalescing_delay": 1, "max_entries": 10000, "max_bytes": null, "max_retry_time": 60,
        "initial_retry_delay": 0.01, "max_retry_delay": 60, "concurrency_limit": 1
    });
    assert_eq!(
        completed::<HttpLogConfig>(json!({"http_endpoint": "http://a.test"})).unwrap(),
        json!({
            "http_endpoint": "http://a.test", "method": "POST", "content_type": "application/json", "timeout": 10000,
            "keepalive": 60000, "retry_count": null, "queue_size": null, "flush_timeout": null, "headers": null,
            "queue": queue, "custom_fields_by_lua": null
        })
    );
    assert_eq!(
        completed::<FileLogConfig>(json!({"path": "/tmp/a.log"})).unwrap(),
        json!({"path": "/tmp/a.log", "reopen": false, "custom_fields_by_lua": null})
    );
    assert_eq!(
        completed::<TcpLogConfig>(json!({"host": "a", "port": 1})).unwrap(),
        json!({
            "host": "a", "port": 1, "timeout": 10000, "keepalive": 60000, "tls": false, "tls_sni": null,
            "custom_fields_by_lua": null
        })
    );
    let statsd: StatsdConfig = serde_json::from_value(completed::<StatsdConfig>(json!({})).unwrap()).unwrap();
    assert_eq!(statsd, StatsdConfig::default());
    let datadog: DatadogConfig = serde_json::from_value(completed::<DatadogConfig>(json!({})).unwrap()).unwrap();
    assert_eq!(datadog, DatadogConfig::default());
    let syslog: SyslogConfig = serde_json::from_value(completed::<SyslogConfig>(json!({})).unwrap()).unwrap();
    assert_eq!(syslog, SyslogConfig::default());
    let loggly: LogglyConfig = serde_json::from_value(completed::<LogglyConfig>(json!({"key": "k"})).unwrap()).unwrap();
    assert_eq!(loggly, LogglyConfig { key: "k".into(), ..LogglyConfig::default() });
    let udp: UdpLogConfig =
        serde_json::from_value(completed::<UdpLogConfig>(json!({"host": "a", "port": 1})).unwrap()).unwrap();
    assert_eq!(udp, UdpLogConfig { host: "a".into(), port: 1, ..UdpLogConfig::default() });
}

#[test]
fn what_kong_refuses_is_refused_in_its_words() {
    refused::<FileLogConfig>(&[
        (json!({}), "schema violation (path: required field missing)"),
        (json!({"path": "/tmp/a*.log"}), "schema violation (path: not a valid filename)"),
        (json!({"path": " /tmp/a.log"}), "schema violation (path: not a valid filename)"),
    ]);
    let url = "http://a.test";
    refused::<HttpLogConfig>(&[
        (json!({"http_endpoint": "a.test"}), "schema violation (http_endpoint: missing host in url)"),
        (
            json!({"http_endpoint": url, "method": "GET"}),
            "schema violation (method: expected one of: POST, PUT, PATCH)",
        ),
        (
            json!({"http_endpoint": url, "headers": {"Host": "x"}}),
            "schema violation (headers: cannot contain 'Host' header)",
        ),
        (
            json!({"http_endpoint": url, "headers": {"content-Length": "x"}}),
            "schema violation (headers: cannot contain 'Content-Length' header)",
        ),
        (
            json!({"http_endpoint": "http://u:p@a.test", "headers": {"authorization": "x"}}),
            "schema violation (specifying both an 'Authorization' header and user info in 'http_endpoint' is not allowed)",
        ),
        (
            json!({"http_endpoint": url, "queue": {"max_batch_size": 0}}),
            "schema violation (queue.max_batch_size: value should be between 1 and 1000000)",
        ),
    ]);
    refused::<TcpLogConfig>(&[(
        json!({"host": "a", "port": 70000}),
        "schema violation (port: value should be between 0 and 65535)",
    )]);
    refused::<SyslogConfig>(&[(
        json!({"log_level": "warn"}),
        "schema violation (log_level: expected one of: debug, info, notice, warning, err, crit, alert, emerg)",
    )]);
    refused::<StatsdConfig>(&[
        (
            json!({"metrics": [{"name": "request_count", "stat_type": "counter"}]}),
            "schema violation (metrics.1: {\n  [\"@entity\"] = {\n    \"failed conditional validation given value of field 'stat_type'\"\n  },\n  sample_rate = \"required field missing\"\n})",
        ),
        (json!({"allow_status_codes": ["2xx"]}), "schema violation (allow_status_codes.1: invalid value: 2xx)"),
    ]);
    refused::<DatadogConfig>(&[(
        json!({"metrics": [{"name": "latency", "stat_type": "timer", "tags": ["a:"]}]}),
        "schema violation (metrics.1: {\n  tags = {\n    \"invalid value: a:\"\n  }\n})",
    )]);
}
