//! What an operator may write, and what is said about the rest.

use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_cors::{Cors, CorsConfig};
use towergate_schema::{RecordSchema, fields};

fn complete(mut written: Value) -> (Value, Value) {
    let problems = CorsConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, _) = complete(json!({}));
    let expected = json!({
        "origins": null,
        "headers": null,
        "exposed_headers": null,
        "methods": ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"],
        "max_age": null,
        "credentials": false,
        "private_network": false,
        "preflight_continue": false,
        "allow_origin_absent": true,
    });
    assert_eq!(config, expected);
    let typed: CorsConfig = serde_json::from_value(config).unwrap();
    assert_eq!(typed, CorsConfig::default());
    assert_eq!((Cors::NAME, Cors::PRIORITY), ("cors", 2000));
    assert_eq!((Cors::CONSUMER_SCOPE, Cors::SERVICE_SCOPE, Cors::ROUTE_SCOPE), (false, true, true));
}

#[test]
fn good_ones_are_taken() {
    for config in [
        json!({"origins": ["*"]}),
        json!({"origins": []}),
        json!({"origins": ["example.com"]}),
        json!({"origins": [r".*\.example(?:-foo)?\.com", "https://a.example"]}),
        json!({"methods": ["TRACE", "CONNECT"], "max_age": 3600, "headers": ["X-A"], "exposed_headers": []}),
        json!({"max_age": 0.5}),
    ] {
        let (config, problems) = complete(config);
        assert_eq!(problems, json!({}));
        let typed: CorsConfig = serde_json::from_value(config).unwrap();
        assert!(Cors::new(typed, &Env::default()).is_ok());
    }
}

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let methods = "expected one of: GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS, TRACE, CONNECT";
    let cases = [
        (
            json!({"origins": [".*.example.com", "invalid_**regex"]}),
            json!({"origins": [null, "'invalid_**regex' is not a valid regex"]}),
        ),
        (json!({"methods": ["FAKE"]}), json!({"methods": [methods]})),
        (json!({"max_age": "1h"}), json!({"max_age": "expected a number"})),
        (json!({"credentials": 1}), json!({"credentials": "expected a boolean"})),
        (json!({"origin": "*"}), json!({"origin": "unknown field"})),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config).1, expected);
    }
}
