//! What an operator may write, and what is said about the rest.

use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_redirect::{Redirect, RedirectConfig};
use towergate_schema::{RecordSchema, fields};

fn complete(mut written: Value) -> (Value, Value) {
    let problems = RedirectConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, _) = complete(json!({"location": "https://example.com"}));
    let expected = json!({"status_code": 301, "location": "https://example.com", "keep_incoming_path": false});
    assert_eq!(config, expected);
    assert_eq!((Redirect::NAME, Redirect::PRIORITY), ("redirect", 779));
    assert_eq!([Redirect::CONSUMER_SCOPE, Redirect::SERVICE_SCOPE, Redirect::ROUTE_SCOPE], [true; 3]);
}

#[test]
fn good_ones_are_taken() {
    for config in [
        json!({"status_code": 404, "location": "https://example.com"}),
        json!({"location": "https://example.com/path?foo=bar", "keep_incoming_path": true}),
        json!({"location": "http://example.com", "keep_incoming_path": null}),
    ] {
        let (config, problems) = complete(config);
        assert_eq!(problems, json!({}));
        let typed: RedirectConfig = serde_json::from_value(config).unwrap();
        assert!(Redirect::new(typed, &Env::default()).is_ok());
    }
}

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let there = "https://example.com";
    let between = "value should be between 100 and 599";
    let cases = [
        (json!({}), json!({"location": "required field missing"})),
        (json!({"location": "definitely_not_a_url"}), json!({"location": "missing host in url"})),
        (json!({"location": "//example.com"}), json!({"location": "missing scheme in url"})),
        (json!({"location": there, "status_code": "abcd"}), json!({"status_code": "expected an integer"})),
        (json!({"location": there, "status_code": 99}), json!({"status_code": between})),
        (json!({"location": there, "status_code": 600}), json!({"status_code": between})),
        (
            json!({"location": there, "keep_incoming_path": "invalid"}),
            json!({"keep_incoming_path": "expected a boolean"}),
        ),
        (json!({"location": there, "incoming_path": "keep"}), json!({"incoming_path": "unknown field"})),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config).1, expected);
    }
}
