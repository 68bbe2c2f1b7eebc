//! What an operator may write, and what is said about the rest.

use serde_json::{Value, json};
use towergate_core::{Env, Plugin};
use towergate_ip_restriction::{IpRestriction, IpRestrictionConfig};
use towergate_schema::{RecordSchema, fields};

fn complete(mut written: Value) -> (Value, Value) {
    let problems = IpRestrictionConfig::record().complete(&mut written);
    (written, fields(&problems))
}

#[test]
fn defaults_are_kongs() {
    let (config, _) = complete(json!({"deny": ["127.0.0.1"]}));
    assert_eq!(config, json!({"allow": null, "deny": ["127.0.0.1"], "status": null, "message": null}));
    assert_eq!((IpRestriction::NAME, IpRestriction::PRIORITY), ("ip-restriction", 990));
    let scopes = [IpRestriction::CONSUMER_SCOPE, IpRestriction::SERVICE_SCOPE, IpRestriction::ROUTE_SCOPE];
    assert_eq!(scopes, [true; 3]);
    assert_eq!(IpRestriction::PROTOCOLS, ["grpc", "grpcs", "http", "https", "tcp", "tls"]);
}

#[test]
fn good_ones_are_taken() {
    for config in [
        json!({"allow": ["127.0.0.1/32", "127.0.0.2"], "status": 401, "message": "Forbidden"}),
        json!({"allow": ["127.0.0.1/8"], "deny": []}),
        json!({"deny": ["::/0", "::1/128", "[::1]"]}),
        json!({"deny": ["127.0.0.2/32"], "allow": ["127.0.0.1/32"], "status": 599}),
    ] {
        let (config, problems) = complete(config);
        assert_eq!(problems, json!({}));
        let typed: IpRestrictionConfig = serde_json::from_value(config).unwrap();
        assert!(IpRestriction::new(typed, &Env::default()).is_ok());
    }
}

#[test]
fn bad_ones_are_refused_in_kongs_words() {
    let invalid = |entry: &str| format!("invalid ip or cidr range: '{entry}'");
    let cases = [
        (json!({"allow": 12}), json!({"allow": "expected an array"})),
        (json!({"allow": ["hello"]}), json!({"allow": [invalid("hello")]})),
        (json!({"deny": ["127.0.0.1/32", "hello"]}), json!({"deny": [null, invalid("hello")]})),
        (
            json!({"allow": ["0.0.0.0/a", "0.0.0.0/-1", "0.0.0.0/33", "::/129"]}),
            json!({"allow": [invalid("0.0.0.0/a"), invalid("0.0.0.0/-1"), invalid("0.0.0.0/33"), invalid("::/129")]}),
        ),
        (json!({"deny": ["::1"], "status": "x"}), json!({"status": "expected a number"})),
        (json!({"deny": ["::1"], "message": 1}), json!({"message": "expected a string"})),
        (json!({"deny": ["::1"], "block": []}), json!({"block": "unknown field"})),
    ];
    for (config, expected) in cases {
        assert_eq!(complete(config).1, expected);
    }
}
