//! What an operator may write for `rate-limiting-advanced`, and what is said about the rest.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on fails")]
#![recursion_limit = "256"]

use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_ratelimit::{RateLimitingAdvanced, RateLimitingAdvancedConfig, WindowType};
use towergate_schema::{Field, Record, RecordSchema, fields};

/// The completed `config` of a plugin entity, and what is wrong with it.
fn complete(config: Value) -> (Value, Value) {
    let entity = Record::new().field("config", Field::any());
    let mut written = json!({ "config": config });
    let problems = entity.specialise("config", RateLimitingAdvancedConfig::record().into()).complete(&mut written);
    let problems = fields(&problems).get("config").cloned().unwrap_or(json!({}));
    (written["config"].take(), problems)
}

/// One window, and these fields more.
fn with(more: Value) -> Value {
    let mut config = json!({"limit": [10], "window_size": [60]});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

#[test]
fn defaults_are_kongs() {
    let (config, problems) = complete(with(json!({})));
    assert_eq!(problems, json!({}));
    let expected = json!({
        "limit": [10], "window_size": [60], "window_type": "sliding", "identifier": "consumer",
        "compound_identifier": null, "header_name": null, "path": null, "strategy": "local", "sync_rate": null,
        "namespace": null, "dictionary_name": "kong_rate_limiting_counters", "lock_dictionary_name": "kong_locks",
        "disable_penalty": false, "hide_client_headers": false, "retry_after_jitter_max": 0,
        "enforce_consumer_groups": false, "consumer_groups": null, "error_code": 429,
        "error_message": "API rate limit exceeded",
        "redis": {
            "host": "127.0.0.1", "port": 6379, "connect_timeout": 2000, "send_timeout": 2000, "read_timeout": 2000,
            "keepalive_pool_size": 256, "keepalive_backlog": null, "database": 0, "username": null, "password": null,
            "ssl": false, "ssl_verify": false, "server_name": null, "sentinel_master": null, "sentinel_role": null,
            "sentinel_nodes": null, "sentinel_username": null, "sentinel_password": null, "cluster_nodes": null,
            "cluster_max_redirections": 5, "connection_is_proxied": false, "redis_proxy_type": null,
        },
    });
    assert_eq!(config, expected);
    let typed: RateLimitingAdvancedConfig = serde_json::from_value(config).unwrap();
    let default = RateLimitingAdvancedConfig { limit: vec![10.0], window_size: vec![60.0], ..Default::default() };
    assert_eq!(typed, default);
    assert_eq!((RateLimitingAdvanced::NAME, RateLimitingAdvanced::PRIORITY), ("rate-limiting-advanced", 910));
}

#[test]
fn good_ones_are_taken() {
    let mut cases = vec![
        json!({"limit": [2, 5], "window_size": [60, 10], "window_type": "fixed"}),
        json!({"limit": [0.5], "window_size": [0.25]}),
        with(json!({"identifier": "header", "header_name": "X-App"})),
        with(json!({"identifier": "path", "path": "/a"})),
        with(json!({"compound_identifier": ["ip", "consumer-group"], "namespace": "n", "disable_penalty": true})),
        with(json!({"enforce_consumer_groups": true, "consumer_groups": ["gold"]})),
        with(json!({"retry_after_jitter_max": 1.5, "error_code": 503, "error_message": "later"})),
    ];
    // Without the feature there is no Redis to be reached.
    if cfg!(feature = "redis") {
        cases.extend([
            with(json!({"strategy": "redis"})),
            with(json!({"strategy": "redis", "sync_rate": 0})),
            with(json!({"strategy": "redis", "sync_rate": -1})),
            with(json!({"strategy": "redis", "sync_rate": 0.02})),
            with(json!({"strategy": "redis", "redis": {"sentinel_master": "m", "sentinel_nodes": [{"host": "s"}]}})),
            with(json!({"strategy": "redis", "redis": {"cluster_nodes": [{"ip": "c", "port": 7000}], "ssl": true}})),
        ]);
    }
    for config in cases {
        let (completed, problems) = complete(config.clone());
        assert_eq!(problems, json!({}), "{config}");
        let typed: RateLimitingAdvancedConfig = serde_json::from_value(completed).unwrap();
        RateLimitingAdvanced::new(typed, &Env::default()).unwrap_or_else(|error| panic!("{config}: {error}"));
    }
}

#[test]
fn windows_are_kept_from_the_shortest_to_the_longest() {
    let (config, _) = complete(json!({"limit": [100, 5], "window_size": [3600, 10], "window_type": "fixed"}));
    let typed: RateLimitingAdvancedConfig = serde_json::from_value(config).unwrap();
    assert_eq!((typed.windows(), typed.kind()), (vec![(10.0, 5.0), (3600.0, 100.0)], WindowType::Fixed));
}

#[test]
fn older_names_become_the_newer_ones() {
    let (config, problems) = complete(with(json!({
        "redis": {"timeout": 500, "sentinel_master": "m", "sentinel_addresses": ["s1:26379", "s2:26380"]},
    })));
    assert_eq!(problems, json!({}));
    let redis = &config["redis"];
    assert_eq!(
        ["connect_timeout", "send_timeout", "read_timeout"].map(|name| &redis[name]),
        [500, 500, 500].map(Value::from).each_ref()
    );
    assert_eq!(redis["sentinel_nodes"], json!([{"host": "s1", "port": 26379}, {"host": "s2", "port": 26380}]));
    let (config, _) = complete(with(json!({"redis": {"cluster_addresses": ["c1:7000"]}})));
    assert_eq!(config["redis"]["cluster_nodes"], json!([{"ip": "c1", "port": 7000}]));
}

#[test]
fn bad_ones_are_refused() {
    let same = "You must provide the same number of windows and limits";
    let given = |field: &str| format!("failed conditional validation given value of field '{field}'");
    let cluster = "expected one of: local, redis (cluster counts in a database, which this gateway runs without)";
    let identifiers = "expected one of: ip, credential, consumer, service, header, path, consumer-group";
    let required = "required field missing";
    let cases = [
        (json!({}), json!({"limit": required, "window_size": required})),
        (json!({"limit": [1, 2], "window_size": [60]}), json!(same)),
        (json!({"limit": [0], "window_size": [60]}), json!({"limit": ["value must be greater than 0"]})),
        (json!({"limit": [1], "window_size": ["60"]}), json!({"window_size": ["expected a number"]})),
        (with(json!({"window_type": "rolling"})), json!({"window_type": "expected one of: fixed, sliding"})),
        (with(json!({"identifier": "route"})), json!({"identifier": identifiers})),
        (with(json!({"compound_identifier": ["ip", "x"]})), json!({"compound_identifier": [null, identifiers]})),
        (with(json!({"identifier": "header"})), json!({"@entity": [given("identifier")], "header_name": required})),
        (with(json!({"identifier": "path"})), json!({"@entity": [given("identifier")], "path": required})),
        (with(json!({"path": "a"})), json!({"path": "should start with: /"})),
        (with(json!({"strategy": "cluster"})), json!({"strategy": cluster})),
        (with(json!({"sync_rate": 0.01})), json!({"sync_rate": "must be at least 0.02, or 0, or -1"})),
        (
            with(json!({"enforce_consumer_groups": true})),
            json!({"@entity": [given("enforce_consumer_groups")], "consumer_groups": required}),
        ),
        (
            with(json!({"retry_after_jitter_max": -1})),
            json!({"retry_after_jitter_max": "value should be between 0 and 100000000"}),
        ),
        (with(json!({"error_code": 0})), json!({"error_code": "value must be greater than 0"})),
        (
            with(json!({"redis": {"sentinel_master": "m"}})),
            json!({"redis": {"@entity": ["all or none of these fields must be set: 'sentinel_master', 'sentinel_nodes'"]}}),
        ),
        (
            with(json!({"redis": {"sentinel_addresses": ["nowhere"]}})),
            json!({"redis": {"sentinel_addresses": "must be addresses with ports, such as redis-1.internal:26379"}}),
        ),
        (with(json!({"minute": 5})), json!({"minute": "unknown field"})),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config.clone()).1, expected, "{config}");
    }
}

#[test]
fn what_only_the_plugin_knows_is_told_with_its_place() {
    let error = |config: RateLimitingAdvancedConfig| {
        RateLimitingAdvanced::new(config, &Env::default()).unwrap_err().to_string()
    };
    let limited = RateLimitingAdvancedConfig { limit: vec![1.0], window_size: vec![1e-9], ..Default::default() };
    assert_eq!(error(limited.clone()), "window_size: must be at least 0.001 seconds");
    let status = RateLimitingAdvancedConfig { window_size: vec![1.0], error_code: Some(200.0), ..limited };
    assert_eq!(error(status), "error_code: must be the HTTP status of an error: a whole number from 400 to 599");
}
