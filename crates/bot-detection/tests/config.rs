//! What an operator may write, and what is said about the rest.

use serde_json::{Value, json};
use towergate_bot_detection::{BotDetection, BotDetectionConfig};
use towergate_core::{Env, Plugin};
use towergate_schema::{RecordSchema, fields};

fn complete(mut written: Value) -> (Value, Value) {
    let problems = BotDetectionConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, _) = complete(json!({}));
    assert_eq!(config, json!({"allow": [], "deny": []}));
    let typed: BotDetectionConfig = serde_json::from_value(config).unwrap();
    assert_eq!(typed, BotDetectionConfig::default());
    assert_eq!((BotDetection::NAME, BotDetection::PRIORITY), ("bot-detection", 2500));
    let scopes = [BotDetection::CONSUMER_SCOPE, BotDetection::SERVICE_SCOPE, BotDetection::ROUTE_SCOPE];
    assert_eq!(scopes, [false, true, true]);
}

#[test]
fn good_ones_are_taken() {
    for config in [
        json!({"allow": null, "deny": null}),
        json!({"allow": ["^Googlebot/"], "deny": [r"curl/\d+", "(?i)wget|httpie", r"\."]}),
    ] {
        let (config, problems) = complete(config);
        assert_eq!(problems, json!({}));
        let typed: BotDetectionConfig = serde_json::from_value(config).unwrap();
        assert!(BotDetection::new(typed, &Env::default()).is_ok());
    }
}

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let cases = [
        (json!({"allow": "curl"}), json!({"allow": "expected an array"})),
        (json!({"deny": ["a", 1]}), json!({"deny": [null, "expected a string"]})),
        (json!({"deny": ["a", "("]}), json!({"deny": [null, "not a valid regex: ("]})),
        (json!({"whitelist": []}), json!({"whitelist": "unknown field"})),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config).1, expected);
    }
}
