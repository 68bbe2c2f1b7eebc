//! What an operator may write for `response-ratelimiting`, and what is said about the rest.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on fails")]

use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_ratelimit::{ResponseRatelimiting, ResponseRatelimitingConfig};
use towergate_schema::{Field, Record, RecordSchema, fields};

/// The completed `config` of a plugin entity, and what is wrong with the entity.
fn complete(config: Value) -> (Value, Value) {
    let entity = Record::new().field("config", Field::any());
    let mut written = json!({ "config": config });
    let problems = entity.specialise("config", ResponseRatelimitingConfig::record().into()).complete(&mut written);
    (written["config"].take(), fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, problems) = complete(json!({"limits": {"video": {"second": 1}}}));
    assert_eq!(problems, json!({}));
    let expected = json!({
        "header_name": "x-kong-limit", "limit_by": "consumer", "policy": "local", "fault_tolerant": true,
        "redis": {
            "host": null, "port": 6379, "timeout": 2000, "username": null, "password": null, "database": 0,
            "ssl": false, "ssl_verify": false, "server_name": null,
        },
        "block_on_first_violation": false, "hide_client_headers": false,
        "limits": {"video": {"second": 1, "minute": null, "hour": null, "day": null, "month": null, "year": null}},
    });
    assert_eq!(config, expected);
    assert_eq!((ResponseRatelimiting::NAME, ResponseRatelimiting::PRIORITY), ("response-ratelimiting", 900));
}

#[test]
fn good_ones_are_taken() {
    for config in [
        json!({"limits": {"video": {"second": 1, "minute": 2, "hour": 3, "day": 4, "month": 5, "year": 6}}}),
        json!({"limits": {"video": {"second": null, "minute": 1}, "image": {"year": 0.5}}}),
        json!({"limits": {"a_b-1": {"day": 1}}, "header_name": "X-Cost", "limit_by": "ip", "block_on_first_violation": true}),
        json!({"limits": {"v": {"day": 1}}, "limit_by": "credential", "hide_client_headers": true, "fault_tolerant": false}),
    ] {
        let (completed, problems) = complete(config.clone());
        assert_eq!(problems, json!({}), "{config}");
        let typed: ResponseRatelimitingConfig = serde_json::from_value(completed).unwrap();
        assert!(ResponseRatelimiting::new(typed, &Env::default()).is_ok());
    }
}

#[test]
fn redis_may_be_written_in_the_new_and_in_the_old_way() {
    let limits = json!({"video": {"second": 10}});
    let new = complete(json!({
        "limits": limits, "policy": "redis",
        "redis": {"host": "r.test", "port": 6380, "database": 2, "username": "u", "password": "p", "ssl": true, "timeout": 1100},
    }));
    let old = complete(json!({
        "limits": limits, "policy": "redis", "redis_host": "r.test", "redis_port": 6380, "redis_database": 2,
        "redis_username": "u", "redis_password": "p", "redis_ssl": true, "redis_timeout": 1100,
    }));
    assert_eq!((new.1.clone(), new), (json!({}), old));
}

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let cluster = "expected one of: local, redis (cluster counts in a database, which this gateway runs without)";
    let limit = |video: Value| json!({"limits": {"video": video}});
    let cases = [
        (json!({}), json!({"config": {"limits": "required field missing"}})),
        (json!({"limits": {}}), json!({"config": {"limits": "length must be at least 1"}})),
        (
            limit(json!({"seco": 1})),
            json!({"config": {"limits": {"seco": "unknown field", "@entity": ["at least one of these fields must be non-empty: 'second', 'minute', 'hour', 'day', 'month', 'year'"]}}}),
        ),
        (
            limit(json!({"second": 2, "minute": 1})),
            json!({"config": {"limits": "the limit for minute(1.0) cannot be lower than the limit for second(2.0)"}}),
        ),
        (
            limit(json!({"second": 1, "minute": 2, "hour": 3, "day": 4, "month": 6, "year": 5})),
            json!({"config": {"limits": "the limit for year(5.0) cannot be lower than the limit for month(6.0)"}}),
        ),
        (json!({"limits": {"second": 10}}), json!({"config": {"limits": "expected a record"}})),
        (
            json!({"limits": {"v": {"day": 1}}, "policy": "redis"}),
            json!({
                "@entity": ["failed conditional validation given value of field 'config.policy'"],
                "config": {"redis": {"host": "required field missing"}},
            }),
        ),
        (json!({"limits": {"v": {"day": 1}}, "policy": "cluster"}), json!({"config": {"policy": cluster}})),
        (
            json!({"limits": {"v": {"day": 1}}, "limit_by": "header"}),
            json!({"config": {"limit_by": "expected one of: consumer, credential, ip"}}),
        ),
        (
            json!({"limits": {"v": {"day": 1}}, "block_on_first_violation": 1}),
            json!({"config": {"block_on_first_violation": "expected a boolean"}}),
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config.clone()).1, expected, "{config}");
    }
}

#[test]
fn a_name_that_cannot_be_part_of_a_header_is_told_with_its_place() {
    let (config, _) = complete(json!({"limits": {"a b": {"day": 1}}}));
    let error = ResponseRatelimiting::new(serde_json::from_value(config).unwrap(), &Env::default()).unwrap_err();
    assert_eq!(error.to_string(), "limits.a b: cannot be part of a header's name: letters, digits, - and _ can");
}
