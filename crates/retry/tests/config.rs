//! What an operator may write, and what is said about the rest.

use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_retry::{Retry, RetryConfig};
use towergate_schema::{RecordSchema, fields};

fn complete(mut written: Value) -> (Value, Value) {
    let problems = RetryConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn by_default_nothing_is_changed() {
    let (config, problems) = complete(json!({}));
    assert_eq!(problems, json!({}));
    assert_eq!(
        config,
        json!({
            "retries": null, "statuses": [], "methods": null, "backoff": null, "backoff_limit": 1,
            "try_timeout": null, "deadline": null, "budget_percentage": null, "budget_min_per_second": 1,
            "budget_window": 10, "hedge_after": null,
        })
    );
    assert_eq!(serde_json::from_value::<RetryConfig>(config).unwrap(), RetryConfig::default());
    assert_eq!((Retry::NAME, Retry::PRIORITY), ("retry", 890));
    assert_eq!([Retry::CONSUMER_SCOPE, Retry::SERVICE_SCOPE, Retry::ROUTE_SCOPE], [true; 3]);
}

#[test]
fn good_ones_are_taken() {
    for config in [
        json!({"retries": 0}),
        json!({"statuses": [429, 503, 503], "methods": ["GET", "POST"]}),
        json!({"backoff": 0.025, "backoff_limit": 5, "try_timeout": 0.5, "deadline": 2}),
        json!({"budget_percentage": 20, "budget_min_per_second": 0, "hedge_after": 0.01}),
    ] {
        let (config, problems) = complete(config);
        assert_eq!(problems, json!({}));
        let typed: RetryConfig = serde_json::from_value(config).unwrap();
        assert!(<Retry as Plugin>::new(typed, &Env::default()).is_ok());
    }
}

#[test]
fn bad_ones_are_refused_with_what_would_be_right() {
    let methods = "expected one of: GET, HEAD, OPTIONS, TRACE, PUT, DELETE, POST, PATCH";
    for (config, expected) in [
        (json!({"retries": -1}), json!({"retries": "value should be between 0 and 32767"})),
        (json!({"statuses": [200]}), json!({"statuses": ["value should be between 400 and 599"]})),
        (json!({"methods": ["get"]}), json!({"methods": [methods]})),
        (json!({"methods": []}), json!({"methods": "length must be at least 1"})),
        (json!({"backoff": 0}), json!({"backoff": "value must be greater than 0"})),
        (json!({"try_timeout": "1s"}), json!({"try_timeout": "expected a number"})),
        (json!({"budget_percentage": 101}), json!({"budget_percentage": "value should be between 0 and 100"})),
        (json!({"hedge": 1}), json!({"hedge": "unknown field"})),
    ] {
        assert_eq!(complete(config.clone()).1, expected, "{config}");
    }
}
