//! What an operator may write, and what is said about the rest.

use serde_json::{Value, json};
use towergate_auth::{KeyAuth, KeyAuthConfig};
use towergate_core::{Env, Plugin};
use towergate_schema::{RecordSchema, fields};

fn complete(mut written: Value) -> (Value, Value) {
    let problems = KeyAuthConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, _) = complete(json!({}));
    let expected = json!({
        "key_names": ["apikey"],
        "hide_credentials": false,
        "anonymous": null,
        "key_in_header": true,
        "key_in_query": true,
        "key_in_body": false,
        "run_on_preflight": true,
        "realm": null,
    });
    assert_eq!(config, expected);
    let typed: KeyAuthConfig = serde_json::from_value(config).unwrap();
    assert_eq!(typed, KeyAuthConfig::default());
    assert_eq!((KeyAuth::NAME, KeyAuth::PRIORITY), ("key-auth", 1250));
    assert_eq!((KeyAuth::CONSUMER_SCOPE, KeyAuth::SERVICE_SCOPE, KeyAuth::ROUTE_SCOPE), (false, true, true));
}

#[test]
fn good_ones_are_taken() {
    for config in [
        json!({"key_names": ["X-Api-Key", "api_key"]}),
        json!({"anonymous": "guest", "realm": "orders", "key_in_body": true, "hide_credentials": true}),
        json!({"run_on_preflight": false, "key_in_header": false, "key_in_query": false}),
    ] {
        let (config, problems) = complete(config);
        assert_eq!(problems, json!({}));
        let typed: KeyAuthConfig = serde_json::from_value(config).unwrap();
        assert!(KeyAuth::new(typed, &Env::default()).is_ok());
    }
}

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let name = "bad header name 'api key', allowed characters are A-Z, a-z, 0-9, '_', and '-'";
    let cases = [
        (json!({"key_names": ["apikey", "api key"]}), json!({"key_names": [null, name]})),
        (json!({"key_names": "apikey"}), json!({"key_names": "expected an array"})),
        (json!({"hide_credentials": "yes"}), json!({"hide_credentials": "expected a boolean"})),
        (json!({"anonymous": false}), json!({"anonymous": "expected a string"})),
        (json!({"key_name": "x"}), json!({"key_name": "unknown field"})),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config).1, expected);
    }
}

#[test]
fn what_no_schema_says_is_told_with_its_place() {
    let cases = [
        (KeyAuthConfig { realm: Some("a\nb".into()), ..Default::default() }, "realm: must not hold control characters"),
        (
            KeyAuthConfig { key_names: vec!["a".into(), String::new()], ..Default::default() },
            "key_names[1]: no header name provided",
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(KeyAuth::new(config, &Env::default()).unwrap_err().to_string(), expected);
    }
}
