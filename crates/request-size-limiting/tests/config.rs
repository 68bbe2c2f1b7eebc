//! What an operator may write, and what is said about the rest.

use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_request_size_limiting::{RequestSizeLimiting, RequestSizeLimitingConfig};
use towergate_schema::{RecordSchema, fields};

fn complete(mut written: Value) -> (Value, Value) {
    let problems = RequestSizeLimitingConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, _) = complete(json!({}));
    let expected = json!({"allowed_payload_size": 128, "size_unit": "megabytes", "require_content_length": false});
    assert_eq!(config, expected);
    let typed: RequestSizeLimitingConfig = serde_json::from_value(config).unwrap();
    assert_eq!(typed, RequestSizeLimitingConfig::default());
    assert_eq!((RequestSizeLimiting::NAME, RequestSizeLimiting::PRIORITY), ("request-size-limiting", 951));
    let scopes =
        [RequestSizeLimiting::CONSUMER_SCOPE, RequestSizeLimiting::SERVICE_SCOPE, RequestSizeLimiting::ROUTE_SCOPE];
    assert_eq!(scopes, [true; 3]);
}

#[test]
fn good_ones_are_taken() {
    for config in [
        json!({"allowed_payload_size": 0}),
        json!({"allowed_payload_size": 10, "size_unit": "kilobytes"}),
        json!({"size_unit": "bytes", "require_content_length": true}),
    ] {
        let (config, problems) = complete(config);
        assert_eq!(problems, json!({}));
        let typed: RequestSizeLimitingConfig = serde_json::from_value(config).unwrap();
        assert!(RequestSizeLimiting::new(typed, &Env::default()).is_ok());
    }
}

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let cases = [
        (json!({"allowed_payload_size": "big"}), json!({"allowed_payload_size": "expected an integer"})),
        (json!({"allowed_payload_size": 1.5}), json!({"allowed_payload_size": "expected an integer"})),
        (json!({"size_unit": "gigabytes"}), json!({"size_unit": "expected one of: megabytes, kilobytes, bytes"})),
        (json!({"require_content_length": 1}), json!({"require_content_length": "expected a boolean"})),
        (json!({"limit": 1}), json!({"limit": "unknown field"})),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config).1, expected);
    }
}

#[test]
fn a_size_below_nothing_would_refuse_everything() {
    let config = RequestSizeLimitingConfig { allowed_payload_size: -1, ..Default::default() };
    let error = RequestSizeLimiting::new(config, &Env::default()).unwrap_err();
    assert_eq!(error.to_string(), "allowed_payload_size: must not be negative: it would refuse every request");
}
