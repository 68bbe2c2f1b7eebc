//! What an operator may write for `jwt`, and what is said about the rest.
#![cfg(feature = "jwt")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod tokens;

use serde_json::{Value, json};
use tokens::Signer;
use towergate_auth::{Algorithm, Jwt, JwtConfig};
use towergate_core::{Env, Plugin, Written};
use towergate_schema::{RecordSchema, fields};
use uuid::Uuid;

fn complete(mut written: Value) -> (Value, Value) {
    let problems = JwtConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, problems) = complete(json!({}));
    assert_eq!(problems, json!({}));
    let expected = json!({
        "uri_param_names": ["jwt"],
        "cookie_names": [],
        "key_claim_name": "iss",
        "secret_is_base64": false,
        "claims_to_verify": null,
        "anonymous": null,
        "run_on_preflight": true,
        "maximum_expiration": 0,
        "header_names": ["authorization"],
        "realm": null,
    });
    assert_eq!(config, expected);
    let typed: JwtConfig = serde_json::from_value(config).unwrap();
    assert_eq!(typed, JwtConfig::default());
    assert_eq!((Jwt::NAME, Jwt::PRIORITY), ("jwt", 1450));
    assert_eq!((Jwt::CONSUMER_SCOPE, Jwt::SERVICE_SCOPE, Jwt::ROUTE_SCOPE), (false, true, true));
}

#[test]
fn good_ones_are_taken() {
    for config in [
        json!({"key_claim_name": "kid", "claims_to_verify": ["exp"], "header_names": ["Authorization"], "maximum_expiration": 86400}),
        json!({"uri_param_names": [], "cookie_names": ["a", "b"], "header_names": ["x-token"]}),
        json!({"uri_param_names": null, "cookie_names": null, "header_names": null}),
        json!({"claims_to_verify": ["nbf", "exp"], "maximum_expiration": 31536000}),
        json!({"maximum_expiration": 60}),
        json!({"anonymous": "guest", "realm": "shop", "secret_is_base64": true, "run_on_preflight": false}),
    ] {
        let (config, problems) = complete(config);
        assert_eq!(problems, json!({}), "{config}");
        let typed: JwtConfig = serde_json::from_value(config).unwrap();
        assert!(Jwt::new(typed, &Env::default()).is_ok());
    }
}

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let cases = [
        (json!({"claims_to_verify": ["exp", "iat"]}), json!({"claims_to_verify": [null, "expected one of: exp, nbf"]})),
        (json!({"maximum_expiration": -1}), json!({"maximum_expiration": "value should be between 0 and 31536000"})),
        (
            json!({"maximum_expiration": 31536001}),
            json!({"maximum_expiration": "value should be between 0 and 31536000"}),
        ),
        (
            json!({"maximum_expiration": 60, "claims_to_verify": ["nbf"]}),
            json!({
                "claims_to_verify": "expected to contain: exp",
                "@entity": ["failed conditional validation given value of field 'maximum_expiration'"],
            }),
        ),
        (json!({"uri_param_names": "jwt"}), json!({"uri_param_names": "expected a set"})),
        (json!({"cookie_names": [1]}), json!({"cookie_names": ["expected a string"]})),
        (json!({"key_claim_name": 1}), json!({"key_claim_name": "expected a string"})),
        (json!({"secret_is_base64": "yes"}), json!({"secret_is_base64": "expected a boolean"})),
        (json!({"run_on_preflight": 1}), json!({"run_on_preflight": "expected a boolean"})),
        (json!({"anonymous": false}), json!({"anonymous": "expected a string"})),
        (json!({"realm": 1}), json!({"realm": "expected a string"})),
        (json!({"header_name": "x"}), json!({"header_name": "unknown field"})),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config.clone()).1, expected, "{config}");
    }
}

#[test]
fn what_no_schema_says_is_told_with_its_place() {
    let header = JwtConfig { header_names: Some(vec!["a".into(), "b c".into()]), ..Default::default() };
    let realm = JwtConfig { realm: Some("a\nb".into()), ..Default::default() };
    let cases =
        [(header, "header_names[1]: 'b c' is no name of a header"), (realm, "realm: must not hold control characters")];
    for (config, expected) in cases {
        assert_eq!(Jwt::new(config, &Env::default()).unwrap_err().to_string(), expected);
    }
}

/// What is said of a credential of these fields.
fn said(fields: &[(&str, &str)]) -> Option<String> {
    let field = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    let written = Written { id: Uuid::nil(), consumer: Uuid::nil(), hashed: true, field: &field };
    let kind = Jwt::CREDENTIAL_KIND.unwrap();
    (kind.prepare)(&written).err().map(|error| error.to_string())
}

#[test]
fn keys_of_credentials_are_looked_at_when_they_are_read() {
    let (ec, ed) = (Signer::new(Algorithm::ES512).pem(), Signer::new(Algorithm::EdDSA).pem());
    assert_eq!(said(&[("algorithm", "HS256"), ("secret", "s")]), None);
    assert_eq!(said(&[("secret", "s")]), None, "HS256 by default");
    assert_eq!(said(&[("algorithm", "ES512"), ("rsa_public_key", &ec)]), None);
    assert_eq!(said(&[("algorithm", "EdDSA"), ("rsa_public_key", &ed)]), None);
    assert_eq!(said(&[("algorithm", "ES256")]), None, "Kong takes it, and refuses its tokens");
    let wrong = said(&[("algorithm", "ES256"), ("rsa_public_key", &ec)]).unwrap();
    assert_eq!(wrong, "rsa_public_key: ES256 needs an EC key on the curve P-256; this is an EC key on the curve P-521");
}
