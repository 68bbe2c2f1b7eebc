//! What an operator may write, and what is said about the rest.

use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_correlation::{CorrelationId, CorrelationIdConfig};
use towergate_schema::{RecordSchema, fields};

fn complete(mut written: Value) -> (Value, Value) {
    let problems = CorrelationIdConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, _) = complete(json!({}));
    let expected = json!({"header_name": "Kong-Request-ID", "generator": "uuid#counter", "echo_downstream": false});
    assert_eq!(config, expected);
    let typed: CorrelationIdConfig = serde_json::from_value(config).unwrap();
    assert_eq!(typed, CorrelationIdConfig::default());
    assert_eq!((CorrelationId::NAME, CorrelationId::PRIORITY), ("correlation-id", 100_001));
    let scopes = [CorrelationId::CONSUMER_SCOPE, CorrelationId::SERVICE_SCOPE, CorrelationId::ROUTE_SCOPE];
    assert_eq!(scopes, [true; 3]);
}

#[test]
fn good_ones_are_taken() {
    for config in [
        json!({"header_name": null}),
        json!({"header_name": "X-Trace", "generator": "uuid", "echo_downstream": true}),
        json!({"generator": "tracker"}),
    ] {
        let (config, problems) = complete(config);
        assert_eq!(problems, json!({}));
        let typed: CorrelationIdConfig = serde_json::from_value(config).unwrap();
        assert!(CorrelationId::new(typed, &Env::default()).is_ok());
    }
}

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let cases = [
        (json!({"generator": "random"}), json!({"generator": "expected one of: uuid, uuid#counter, tracker"})),
        (json!({"echo_downstream": "yes"}), json!({"echo_downstream": "expected a boolean"})),
        (json!({"header_name": 1}), json!({"header_name": "expected a string"})),
        (json!({"header": "x"}), json!({"header": "unknown field"})),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config).1, expected);
    }
}

#[test]
fn a_header_must_be_possible() {
    let config = CorrelationIdConfig { header_name: Some("a b".into()), ..Default::default() };
    let error = CorrelationId::new(config, &Env::default()).unwrap_err();
    assert_eq!(error.field(), "header_name");
    assert_eq!(error.message(), "bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'");
}
