//! What an operator may write, and what is said about the rest.

use serde_json::{Value, json};
use towergate_circuit_breaker::{CircuitBreaker, CircuitBreakerConfig};
use towergate_core::{Env, Plugin};
use towergate_schema::{RecordSchema, fields};

fn complete(mut written: Value) -> (Value, Value) {
    let problems = CircuitBreakerConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_those_that_are_documented() {
    let (config, problems) = complete(json!({}));
    let expected = json!({
        "reset_timeout": 30,
        "failure_threshold": 5,
        "failure_statuses": [500, 502, 503, 504],
        "failure_errors": ["connect", "timeout", "response"],
        "slow_call_duration": null,
        "window": 60,
        "min_requests": 10,
        "error_percentage": null,
        "half_open_max_requests": 1,
        "success_threshold": 1,
        "scope": "service",
        "hide_client_headers": false,
    });
    assert_eq!((&config, problems), (&expected, json!({})));
    let typed: Result<CircuitBreakerConfig, _> = serde_json::from_value(config);
    assert_eq!(typed.ok(), Some(CircuitBreakerConfig::default()));
    assert_eq!((CircuitBreaker::NAME, CircuitBreaker::PRIORITY), ("circuit-breaker", 900));
    let scopes = [CircuitBreaker::CONSUMER_SCOPE, CircuitBreaker::SERVICE_SCOPE, CircuitBreaker::ROUTE_SCOPE];
    assert_eq!(scopes, [false, true, true]);
}

#[test]
fn good_ones_are_taken() {
    for config in [
        // As the guide writes it.
        json!({"reset_timeout": 30}),
        json!({"reset_timeout": 0.5}),
        json!({"reset_timeout": 86_400}),
        json!({"failure_threshold": 1}),
        json!({"failure_threshold": null, "error_percentage": 50}),
        json!({"failure_statuses": []}),
        json!({"failure_statuses": [429, 500, 599]}),
        json!({"failure_errors": []}),
        json!({"failure_errors": ["timeout"]}),
        json!({"slow_call_duration": 0.25}),
        json!({"window": 10}),
        json!({"min_requests": 1}),
        json!({"error_percentage": 0.5}),
        json!({"error_percentage": 100}),
        json!({"half_open_max_requests": 10}),
        json!({"success_threshold": 3}),
        json!({"scope": "route"}),
        json!({"scope": "target"}),
        json!({"hide_client_headers": true}),
    ] {
        let (config, problems) = complete(config);
        assert_eq!(problems, json!({}));
        let typed: Result<CircuitBreakerConfig, _> = serde_json::from_value(config);
        assert!(typed.is_ok_and(|typed| CircuitBreaker::new(typed, &Env::default()).is_ok()));
    }
}

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let between = |low: &str, high: &str| format!("value should be between {low} and {high}");
    let cases = [
        (json!({"reset_timeout": 0}), json!({"reset_timeout": "value must be greater than 0"})),
        (json!({"reset_timeout": 86_401}), json!({"reset_timeout": between("0", "86400")})),
        (json!({"reset_timeout": "30s"}), json!({"reset_timeout": "expected a number"})),
        (json!({"failure_threshold": 0}), json!({"failure_threshold": between("1", "1000000")})),
        (json!({"failure_threshold": 1.5}), json!({"failure_threshold": "expected an integer"})),
        (json!({"failure_statuses": [99]}), json!({"failure_statuses": [between("100", "999")]})),
        (json!({"failure_statuses": ["500"]}), json!({"failure_statuses": ["expected an integer"]})),
        (json!({"failure_statuses": 500}), json!({"failure_statuses": "expected a set"})),
        (
            json!({"failure_errors": ["slow"]}),
            json!({"failure_errors": ["expected one of: connect, timeout, response"]}),
        ),
        (json!({"slow_call_duration": 0}), json!({"slow_call_duration": "value must be greater than 0"})),
        (json!({"window": 0}), json!({"window": "value must be greater than 0"})),
        (json!({"window": 86_401}), json!({"window": between("0", "86400")})),
        (json!({"min_requests": 0}), json!({"min_requests": between("1", "1000000")})),
        (json!({"error_percentage": 101}), json!({"error_percentage": between("0", "100")})),
        (json!({"half_open_max_requests": 0}), json!({"half_open_max_requests": between("1", "1000000")})),
        (json!({"success_threshold": 0}), json!({"success_threshold": between("1", "1000000")})),
        (json!({"scope": "consumer"}), json!({"scope": "expected one of: service, route, target"})),
        (json!({"hide_client_headers": 1}), json!({"hide_client_headers": "expected a boolean"})),
        (json!({"threshold": 1}), json!({"threshold": "unknown field"})),
        // Nothing would ever open it.
        (
            json!({"failure_threshold": null}),
            json!({"@entity": [
                "at least one of these fields must be non-empty: 'failure_threshold', 'error_percentage'"
            ]}),
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config.clone()).1, expected, "{config}");
    }
}
