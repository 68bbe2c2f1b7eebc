//! What an operator may write, and what is said about the rest.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_metrics::{Prometheus, PrometheusConfig};
use towergate_schema::{RecordSchema, fields};

const FLAGS: [&str; 7] = [
    "per_consumer",
    "status_code_metrics",
    "ai_metrics",
    "latency_metrics",
    "bandwidth_metrics",
    "upstream_health_metrics",
    "wasm_metrics",
];

fn complete(mut written: Value) -> (Value, Value) {
    let problems = PrometheusConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, _) = complete(json!({}));
    let expected: Value = FLAGS.iter().map(|flag| ((*flag).to_owned(), json!(false))).collect();
    assert_eq!(config, expected);
    let typed: PrometheusConfig = serde_json::from_value(config).unwrap();
    assert_eq!(typed, PrometheusConfig::default());
    assert_eq!((Prometheus::NAME, Prometheus::PRIORITY), ("prometheus", 13));
    assert_eq!((Prometheus::CONSUMER_SCOPE, Prometheus::SERVICE_SCOPE, Prometheus::ROUTE_SCOPE), (true, true, true));
}

#[test]
fn each_flag_is_true_false_or_null() {
    for flag in FLAGS {
        for value in [json!(true), json!(false), json!(null)] {
            let (config, problems) = complete(json!({ flag: value }));
            assert_eq!(problems, json!({}), "{flag}");
            let typed: PrometheusConfig = serde_json::from_value(config).unwrap();
            assert!(Prometheus::new(typed, &Env::default()).is_ok());
        }
        for value in [json!("true"), json!(1), json!([])] {
            let (_, problems) = complete(json!({ flag: value }));
            assert_eq!(problems, json!({ flag: "expected a boolean" }));
        }
    }
    let (_, problems) = complete(json!({"latency": true}));
    assert_eq!(problems, json!({"latency": "unknown field"}));
}
