//! What an operator may write, and what is said about the rest.

use serde_json::{Value, json};
use towergate_core::Plugin;
use towergate_schema::{RecordSchema, fields};
use towergate_traffic_split::{
    Canary, CanaryConfig, RouteByHeader, RouteByHeaderConfig, TrafficSplit, TrafficSplitConfig,
};

fn complete<C: RecordSchema>(mut written: Value) -> (Value, Value) {
    let problems = C::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn the_defaults_of_canary_are_kongs() {
    let (config, problems) = complete::<CanaryConfig>(json!({"upstream_host": "new"}));
    assert_eq!(problems, json!({}));
    assert_eq!(
        config,
        json!({
            "start": null, "hash": "consumer", "hash_header": null, "duration": 3600, "steps": 1000,
            "percentage": null, "groups": null, "upstream_host": "new", "upstream_port": null, "upstream_uri": null,
            "upstream_fallback": false, "canary_by_header_name": null,
        })
    );
    let typed: CanaryConfig = serde_json::from_value(config).unwrap();
    assert_eq!(typed, CanaryConfig { upstream_host: Some("new".into()), ..CanaryConfig::default() });
    assert_eq!((Canary::NAME, Canary::PRIORITY), ("canary", 20));
}

#[test]
fn bad_ones_of_canary_are_refused_in_kongs_words() {
    for (config, expected) in [
        (json!({"percentage": 101}), json!({"percentage": "value should be between 0 and 100"})),
        (json!({"upstream_port": 65536}), json!({"upstream_port": "value should be between 0 and 65535"})),
        (json!({"upstream_uri": ""}), json!({"upstream_uri": "length must be at least 1"})),
        (json!({"hash": "user"}), json!({"hash": "expected one of: consumer, ip, none, allow, deny, header"})),
        (json!({"duration": "1h"}), json!({"duration": "expected a number"})),
        (json!({"percent": 1}), json!({"percent": "unknown field"})),
    ] {
        assert_eq!(complete::<CanaryConfig>(config).1, expected);
    }
}

#[test]
fn rules_of_route_by_header() {
    assert_eq!(complete::<RouteByHeaderConfig>(json!({})), (json!({"rules": []}), json!({})));
    assert_eq!((RouteByHeader::NAME, RouteByHeader::PRIORITY), ("route-by-header", 850));
    let rule = json!({"condition": {"location": "us-east"}, "upstream_name": "east"});
    let (config, problems) = complete::<RouteByHeaderConfig>(json!({"rules": [rule]}));
    assert_eq!((problems, &config["rules"][0]), (json!({}), &rule));
    assert!(serde_json::from_value::<RouteByHeaderConfig>(config).is_ok());
    for (rule, expected) in [
        (json!({"condition": {"a": "b"}}), json!({"upstream_name": "required field missing"})),
        (json!({"condition": {}, "upstream_name": "a"}), json!({"condition": "length must be at least 1"})),
        (json!({"condition": {"a": 1}, "upstream_name": "a"}), json!({"condition": "expected a string"})),
    ] {
        assert_eq!(complete::<RouteByHeaderConfig>(json!({"rules": [rule]})).1, json!({"rules": [expected]}));
    }
}

#[test]
fn splits_of_traffic_split() {
    assert_eq!((TrafficSplit::NAME, TrafficSplit::PRIORITY), ("traffic-split", 845));
    let (config, problems) = complete::<TrafficSplitConfig>(json!({"splits": [{}, {"weight": 10, "service": "v2"}]}));
    assert_eq!(problems, json!({}));
    assert_eq!(
        config,
        json!({
            "splits": [
                {"weight": 100, "service": null, "upstream": null}, {"weight": 10, "service": "v2", "upstream": null},
            ],
            "hash_on": "none", "hash_on_header": null,
        })
    );
    assert!(serde_json::from_value::<TrafficSplitConfig>(config).is_ok());
    for (config, expected) in [
        (json!({}), json!({"splits": "required field missing"})),
        (json!({"splits": []}), json!({"splits": "length must be at least 1"})),
        (json!({"splits": [{"weight": -1}]}), json!({"splits": [{"weight": "value should be between 0 and 65535"}]})),
        (json!({"splits": [{}], "hash_on": "path"}), json!({"hash_on": "expected one of: none, consumer, ip, header"})),
    ] {
        assert_eq!(complete::<TrafficSplitConfig>(config).1, expected);
    }
    let both = json!({"splits": [{"service": "a", "upstream": "b"}]});
    assert_ne!(complete::<TrafficSplitConfig>(both).1, json!({}), "one or the other");
}
