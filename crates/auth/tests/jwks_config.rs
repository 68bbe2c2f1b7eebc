//! What an operator may write for `jwks-auth`, and what is said about the rest.
#![cfg(feature = "jwks")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use serde_json::{Value, json};
use towergate_auth::{JwksAuth, JwksAuthConfig};
use towergate_core::{Env, Plugin};
use towergate_schema::{RecordSchema, fields};

fn complete(mut written: Value) -> (Value, Value) {
    let problems = JwksAuthConfig::record().complete(&mut written);
    (written, fields(&problems))
}

/// A good configuration with this in it.
fn with(name: &str, value: Value) -> Value {
    let mut config = json!({
        "jwks_uri": "https://login.example.com/jwks.json",
        "issuers": ["https://login.example.com/"],
        "audiences": ["api"],
        "algorithms": ["RS256"],
    });
    config[name] = value;
    config
}

#[test]
fn what_a_token_must_say_has_no_default() {
    let (_, problems) = complete(json!({}));
    let missing = "required field missing";
    assert_eq!(problems, json!({"jwks_uri": missing, "issuers": missing, "audiences": missing, "algorithms": missing}));
    let (config, problems) = complete(with("realm", json!(null)));
    assert_eq!(problems, json!({}));
    let typed: JwksAuthConfig = serde_json::from_value(config).unwrap();
    let expected = JwksAuthConfig {
        jwks_uri: "https://login.example.com/jwks.json".into(),
        issuers: vec!["https://login.example.com/".into()],
        audiences: vec!["api".into()],
        algorithms: vec!["RS256".into()],
        ..JwksAuthConfig::default()
    };
    assert_eq!(typed, expected);
    assert_eq!((JwksAuth::NAME, JwksAuth::PRIORITY), ("jwks-auth", 1440));
    assert_eq!((JwksAuth::CONSUMER_SCOPE, JwksAuth::SERVICE_SCOPE, JwksAuth::ROUTE_SCOPE), (false, true, true));
}

#[test]
fn good_ones_are_taken() {
    for (name, value) in [
        ("jwks_uri", json!("http://127.0.0.1:8080/certs")),
        ("algorithms", json!(["RS256", "ES512", "EdDSA", "PS384"])),
        ("header_names", json!(["X-Token"])),
        ("uri_param_names", json!(["access_token"])),
        ("cookie_names", json!(["session"])),
        ("consumer_claim", json!("sub")),
        ("consumer_by", json!(["id"])),
        ("consumer_optional", json!(true)),
        ("authenticated_groups_claim", json!("roles")),
        ("anonymous", json!("guest")),
        ("run_on_preflight", json!(false)),
        ("realm", json!("shop")),
        ("leeway", json!(60)),
        ("refresh_interval", json!(86400)),
        ("cooldown", json!(1)),
        ("timeout", json!(60000)),
    ] {
        let (config, problems) = complete(with(name, value));
        assert_eq!(problems, json!({}), "{config}");
        let typed: JwksAuthConfig = serde_json::from_value(config).unwrap();
        assert!(JwksAuth::new(typed, &Env::default()).is_ok(), "{name}");
    }
}

#[test]
fn bad_ones_are_refused() {
    let names = "expected one of: RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512, EdDSA";
    let cases = [
        ("jwks_uri", json!("ftp://x/"), json!("must be an https or http URL")),
        ("jwks_uri", json!(7), json!("expected a string")),
        ("issuers", json!([]), json!("length must be at least 1")),
        ("audiences", json!([]), json!("length must be at least 1")),
        ("algorithms", json!([]), json!("length must be at least 1")),
        ("algorithms", json!(["HS256"]), json!([names])),
        ("algorithms", json!(["none"]), json!([names])),
        ("consumer_by", json!(["sub"]), json!(["expected one of: username, custom_id, id"])),
        ("consumer_optional", json!("yes"), json!("expected a boolean")),
        ("leeway", json!(601), json!("value should be between 0 and 600")),
        ("refresh_interval", json!(0), json!("value should be between 1 and 86400")),
        ("cooldown", json!(0), json!("value should be between 1 and 3600")),
        ("timeout", json!(0), json!("value should be between 1 and 60000")),
        ("ssl_verify", json!(false), json!("unknown field")),
    ];
    for (name, value, expected) in cases {
        assert_eq!(complete(with(name, value.clone())).1, json!({name: expected}), "{name} {value}");
    }
}

#[test]
fn what_no_schema_says_is_told_with_its_place() {
    let good: JwksAuthConfig = serde_json::from_value(complete(with("realm", json!(null))).0).unwrap();
    let wrong = "jwks_uri: must be a URL with a host, such as https://host/path";
    let cases = [
        (JwksAuthConfig { jwks_uri: "https://".into(), ..good.clone() }, wrong),
        (JwksAuthConfig { jwks_uri: "https://a b/".into(), ..good.clone() }, wrong),
        (
            JwksAuthConfig { ca_certificates: Some("x".into()), ..good.clone() },
            "ca_certificates: invalid certificate: no PEM block 'CERTIFICATE'",
        ),
        (
            JwksAuthConfig { header_names: vec!["a b".into()], ..good.clone() },
            "header_names[0]: 'a b' is no name of a header",
        ),
        (JwksAuthConfig { realm: Some("a\nb".into()), ..good }, "realm: must not hold control characters"),
    ];
    for (config, expected) in cases {
        assert_eq!(JwksAuth::new(config, &Env::default()).unwrap_err().to_string(), expected);
    }
}
