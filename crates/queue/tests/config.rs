//! The parameters of Kong's queue: defaults, what is refused and with which words.

use std::time::Duration;

use serde_json::{Value, json};
use towergate_queue::{QueueConfig, Settings};
use towergate_schema::{RecordSchema, message};

#[test]
fn defaults_are_kongs() {
    let mut value = json!({});
    assert!(QueueConfig::record().complete(&mut value).is_empty());
    assert_eq!(
        value,
        json!({
            "max_batch_size": 1, "max_coalescing_delay": 1, "max_entries": 10000, "max_bytes": null, "max_retry_time": 60,
            "initial_retry_delay": 0.01, "max_retry_delay": 60, "concurrency_limit": 1
        })
    );
    let config: QueueConfig = serde_json::from_value(value).unwrap();
    assert_eq!(config, QueueConfig::default());
    assert_eq!(Settings::from(&config), Settings::default());
}

#[test]
fn what_is_out_of_range_is_refused() {
    // Kong writes the bounds as whole numbers: 0 is 0.001.
    let cases: [(Value, &str); 8] = [
        (json!({"max_batch_size": 0}), "schema violation (max_batch_size: value should be between 1 and 1000000)"),
        (json!({"max_batch_size": 1.5}), "schema violation (max_batch_size: expected an integer)"),
        (
            json!({"max_coalescing_delay": 3601}),
            "schema violation (max_coalescing_delay: value should be between 0 and 3600)",
        ),
        (json!({"max_entries": 0}), "schema violation (max_entries: value should be between 1 and 1000000)"),
        (
            json!({"initial_retry_delay": 0}),
            "schema violation (initial_retry_delay: value should be between 0 and 1000000)",
        ),
        (json!({"max_retry_delay": 0}), "schema violation (max_retry_delay: value should be between 0 and 1000000)"),
        (json!({"concurrency_limit": 2}), "schema violation (concurrency_limit: expected one of: -1, 1)"),
        (json!({"name": "x"}), "schema violation (name: unknown field)"),
    ];
    for (mut value, expected) in cases {
        let problems = QueueConfig::record().complete(&mut value);
        assert_eq!(message(&problems), expected);
    }
}

#[test]
fn numbers_become_times() {
    let config = QueueConfig {
        max_retry_time: Some(-1.0),
        max_coalescing_delay: Some(0.5),
        concurrency_limit: Some(-1),
        max_retry_delay: Some(f64::INFINITY),
        max_batch_size: None,
        ..QueueConfig::default()
    };
    let settings = Settings::from(&config);
    assert_eq!(settings.max_retry_time, None);
    assert_eq!(settings.max_coalescing_delay, Duration::from_millis(500));
    assert!(settings.is_concurrent && settings.max_batch_size == 1);
    assert!(settings.max_retry_delay > Duration::from_hours(24));
}
