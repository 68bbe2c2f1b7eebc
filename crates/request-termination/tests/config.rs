//! What an operator may write, and what is said about the rest.

use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_request_termination::{RequestTermination, RequestTerminationConfig};
use towergate_schema::{RecordSchema, fields};

fn complete(mut written: Value) -> (Value, Value) {
    let problems = RequestTerminationConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, _) = complete(json!({}));
    let expected = json!({
        "status_code": 503, "message": null, "content_type": null, "body": null, "echo": false, "trigger": null,
    });
    assert_eq!(config, expected);
    let typed: RequestTerminationConfig = serde_json::from_value(config).unwrap();
    assert_eq!(typed, RequestTerminationConfig::default());
    assert_eq!((RequestTermination::NAME, RequestTermination::PRIORITY), ("request-termination", 2));
    let scopes =
        [RequestTermination::CONSUMER_SCOPE, RequestTermination::SERVICE_SCOPE, RequestTermination::ROUTE_SCOPE];
    assert_eq!(scopes, [true; 3]);
}

#[test]
fn good_ones_are_taken() {
    for config in [
        json!({"status_code": 404}),
        json!({"message": "Not found"}),
        json!({"content_type": "text/html", "body": "<body><h1>Not found</h1>"}),
        json!({"body": "<body><h1>Not found</h1>"}),
        json!({"echo": true, "trigger": "header_name", "message": "see"}),
        json!({"trigger": "X-Debug"}),
    ] {
        let (config, problems) = complete(config);
        assert_eq!(problems, json!({}));
        let typed: RequestTerminationConfig = serde_json::from_value(config).unwrap();
        assert!(RequestTermination::new(typed, &Env::default()).is_ok());
    }
}

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let between = "value should be between 100 and 599";
    let cases = [
        (json!({"status_code": "abcd"}), json!({"status_code": "expected an integer"})),
        (json!({"status_code": 99}), json!({"status_code": between})),
        (json!({"status_code": 600}), json!({"status_code": between})),
        (json!({"echo": "yes"}), json!({"echo": "expected a boolean"})),
        (
            json!({"trigger": "a b"}),
            json!({"trigger": "bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'"}),
        ),
        (json!({"body": 1}), json!({"body": "expected a string"})),
        (json!({"status": 1}), json!({"status": "unknown field"})),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config).1, expected);
    }
}

#[test]
fn what_does_not_go_together_is_refused_in_kongs_words() {
    let with_message = "message cannot be used with content_type or body";
    let cases = [
        (json!({"message": "error", "body": "test"}), with_message),
        (json!({"message": "error", "content_type": "text/html", "body": "test"}), with_message),
        (json!({"message": "error", "content_type": "text/html"}), with_message),
        (json!({"content_type": "text/html"}), "content_type requires a body"),
        (
            json!({"echo": true, "content_type": "text/html", "body": "test"}),
            "echo cannot be used with content_type and body",
        ),
    ];
    for (mut config, expected) in cases {
        let problems = RequestTerminationConfig::record().complete(&mut config);
        let told: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(told, [expected]);
    }
}

#[test]
fn an_answer_cannot_end_with_a_status_below_200() {
    let config = RequestTerminationConfig { status_code: 100, ..Default::default() };
    let error = RequestTermination::new(config, &Env::default()).unwrap_err();
    assert_eq!(error.to_string(), "status_code: must be from 200 to 599: an answer cannot end with less");
}
