//! What an operator may write for `rate-limiting`, and what is said about the rest.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on fails")]

use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_ratelimit::{RateLimiting, RateLimitingConfig};
use towergate_schema::{Field, Record, RecordSchema, fields};

/// The completed `config` of a plugin entity, and what is wrong with the entity.
fn complete(config: Value) -> (Value, Value) {
    let entity = Record::new().field("config", Field::any());
    let mut written = json!({ "config": config });
    let problems = entity.specialise("config", RateLimitingConfig::record().into()).complete(&mut written);
    (written["config"].take(), fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, problems) = complete(json!({"minute": 5}));
    assert_eq!(problems, json!({}));
    let expected = json!({
        "second": null, "minute": 5, "hour": null, "day": null, "month": null, "year": null,
        "limit_by": "consumer", "header_name": null, "path": null, "policy": "local", "fault_tolerant": true,
        "redis": {
            "host": null, "port": 6379, "timeout": 2000, "username": null, "password": null, "database": 0,
            "ssl": false, "ssl_verify": false, "server_name": null,
        },
        "hide_client_headers": false, "error_code": 429, "error_message": "API rate limit exceeded",
        "sync_rate": -1,
    });
    assert_eq!(config, expected);
    let typed: RateLimitingConfig = serde_json::from_value(config).unwrap();
    assert_eq!(typed, RateLimitingConfig { minute: Some(5.0), ..RateLimitingConfig::default() });
    assert_eq!((RateLimiting::NAME, RateLimiting::PRIORITY), ("rate-limiting", 910));
    assert_eq!(
        (RateLimiting::CONSUMER_SCOPE, RateLimiting::SERVICE_SCOPE, RateLimiting::ROUTE_SCOPE),
        (true, true, true)
    );
}

#[test]
fn good_ones_are_taken() {
    for config in [
        json!({"second": 10}),
        json!({"second": 10, "minute": 20, "hour": 30, "day": 40, "month": 50, "year": 60}),
        json!({"second": 10, "limit_by": "header", "header_name": "X-App-Version"}),
        json!({"second": 10, "limit_by": "path", "path": "/request"}),
        json!({"second": 0.5, "limit_by": "credential", "error_code": 404, "error_message": "Fake"}),
        json!({"second": 10, "minute": 10, "limit_by": "service", "hide_client_headers": true}),
        json!({"year": 10, "limit_by": "ip", "fault_tolerant": false}),
    ] {
        let (config, problems) = complete(config);
        assert_eq!(problems, json!({}));
        let typed: RateLimitingConfig = serde_json::from_value(config).unwrap();
        assert!(RateLimiting::new(typed, &Env::default()).is_ok());
    }
}

#[test]
fn redis_may_be_written_in_the_new_and_in_the_old_way() {
    let new = complete(json!({
        "second": 10, "policy": "redis",
        "redis": {
            "host": "redis.test", "port": 6380, "database": 2, "username": "test", "password": "secret", "ssl": true,
            "ssl_verify": false, "timeout": 1100, "server_name": "redis.example",
        },
    }));
    let old = complete(json!({
        "second": 10, "policy": "redis", "redis_host": "redis.test", "redis_port": 6380, "redis_database": 2,
        "redis_username": "test", "redis_password": "secret", "redis_ssl": true, "redis_ssl_verify": false,
        "redis_timeout": 1100, "redis_server_name": "redis.example",
    }));
    assert_eq!(new.1, json!({}));
    assert_eq!(new, old);
}

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let at_least = "at least one of these fields must be non-empty: 'config.second', 'config.minute', 'config.hour', \
                    'config.day', 'config.month', 'config.year'";
    let given = |field: &str| format!("failed conditional validation given value of field 'config.{field}'");
    let cluster = "expected one of: local, redis (cluster counts in a database, which this gateway runs without)";
    let cases = [
        (json!({}), json!({"@entity": [at_least]})),
        (
            json!({"second": 20, "hour": 10}),
            json!({"config": "The limit for hour(10.0) cannot be lower than the limit for second(20.0)"}),
        ),
        (
            json!({"second": 10, "minute": 20, "hour": 30, "day": 40, "month": 60, "year": 50}),
            json!({"config": "The limit for year(50.0) cannot be lower than the limit for month(60.0)"}),
        ),
        (json!({"minute": 0}), json!({"config": {"minute": "value must be greater than 0"}})),
        (json!({"minute": "5"}), json!({"config": {"minute": "expected a number"}})),
        (json!({"minute": 5, "policy": "cluster"}), json!({"config": {"policy": cluster}})),
        (
            json!({"minute": 5, "limit_by": "host"}),
            json!({"config": {"limit_by": "expected one of: consumer, credential, ip, service, header, path"}}),
        ),
        (
            json!({"minute": 5, "limit_by": "header"}),
            json!({"@entity": [given("limit_by")], "config": {"header_name": "required field missing"}}),
        ),
        (
            json!({"minute": 5, "limit_by": "path"}),
            json!({"@entity": [given("limit_by")], "config": {"path": "required field missing"}}),
        ),
        (json!({"minute": 5, "path": "request"}), json!({"config": {"path": "should start with: /"}})),
        (
            json!({"minute": 5, "policy": "redis"}),
            json!({"@entity": [given("policy")], "config": {"redis": {"host": "required field missing"}}}),
        ),
        (
            json!({"minute": 5, "redis": {"timeout": -1}}),
            json!({"config": {"redis": {"timeout": "value should be between 0 and 2147483646"}}}),
        ),
        (
            json!({"minute": 5, "redis": {"port": 65536}}),
            json!({"config": {"redis": {"port": "value should be between 0 and 65535"}}}),
        ),
        (json!({"minute": 5, "sync_rate": 1}), json!({"config": "sync_rate can only be used with the redis policy"})),
        (
            json!({"minute": 5, "policy": "redis", "redis": {"host": "r"}, "sync_rate": 0.01}),
            json!({"config": "sync_rate must be greater than 0.02, or -1 to disable"}),
        ),
        (json!({"minute": 5, "error_code": 0}), json!({"config": {"error_code": "value must be greater than 0"}})),
        (json!({"minute": 5, "fault_tolerant": 1}), json!({"config": {"fault_tolerant": "expected a boolean"}})),
        (
            json!({"minute": 5, "hide_client_headers": "no"}),
            json!({"config": {"hide_client_headers": "expected a boolean"}}),
        ),
        (json!({"minute": 5, "limit": 5}), json!({"config": {"limit": "unknown field"}})),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config.clone()).1, expected, "{config}");
    }
}

#[test]
fn what_only_the_plugin_knows_is_told_with_its_place() {
    let error = |config: RateLimitingConfig| RateLimiting::new(config, &Env::default()).unwrap_err().to_string();
    let limited = RateLimitingConfig { minute: Some(1.0), ..RateLimitingConfig::default() };
    for code in [99.0, 200.0, 429.5, 600.0, f64::NAN, f64::INFINITY] {
        assert_eq!(
            error(RateLimitingConfig { error_code: Some(code), ..limited.clone() }),
            "error_code: must be the HTTP status of an error: a whole number from 400 to 599"
        );
    }
}
