//! What the derive makes of a type, and what it makes of values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use towergate_schema::{Problem, Record, RecordSchema, Reference, Schema, fields, message};

fn check_host(value: &Value) -> Result<(), String> {
    match value.as_str() {
        Some(host) if host.contains(' ') => Err(format!("invalid value: {host}")),
        _ => Ok(()),
    }
}

/// A configuration with one of everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[schema(at_least_one_of("allow", "deny"))]
#[schema(shorthand("old_port", path = "inner.port", kind = integer, between(0, 65535)))]
#[schema(shorthand_fn("url", kind = string, expand = expand_url))]
#[schema(conditional(if_field = "generator", if_match(eq = "tracker"), then_field = "port", then_match(required)))]
struct Everything {
    /// Names under which
    /// a key is looked for.
    #[schema(required, default = ["apikey"])]
    key_names: Vec<String>,
    #[schema(required, default = false)]
    hide_credentials: bool,
    #[schema(referenceable, len_min = 5)]
    anonymous: Option<String>,
    #[schema(one_of("uuid", "uuid#counter", "tracker"), default = "uuid#counter", required)]
    generator: String,
    #[schema(between(0, 65535))]
    port: Option<u16>,
    #[schema(set, elements(one_of("GET", "HEAD")))]
    methods: Option<Vec<String>>,
    #[schema(len_min = 1, custom = check_host)]
    host: String,
    inner: Inner,
    headers: Option<BTreeMap<String, Vec<String>>>,
    #[schema(foreign = "services")]
    service: Option<Reference>,
    #[schema(auto)]
    id: Option<uuid::Uuid>,
    anything: Option<Value>,
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
    algorithm: Option<Algorithm>,
    weight: Option<Weight>,
    #[serde(rename = "type", default)]
    of_type: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
struct Inner {
    #[schema(default = 6379)]
    port: Option<i64>,
    #[schema(default = 0.5)]
    share: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
enum Algorithm {
    RoundRobin,
    LeastConnections,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Schema)]
#[schema(between(0, 100))]
struct Weight(u8);

fn expand_url(url: Value) -> Result<Map<String, Value>, String> {
    let host = url.as_str().and_then(|url| url.strip_prefix("http://")).ok_or("invalid url")?;
    Ok(Map::from_iter([("host".to_owned(), Value::from(host))]))
}

fn everything() -> Record {
    Everything::record()
}

#[test]
fn defaults_are_filled_in_and_the_value_fits_the_type() {
    let mut value = json!({"host": "example.com", "allow": ["a"]});
    assert_eq!(everything().complete(&mut value), []);
    let typed: Everything = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(typed.key_names, ["apikey"]);
    assert_eq!(typed.generator, "uuid#counter");
    assert_eq!(typed.inner, Inner { port: Some(6379), share: 0.5 });
    assert_eq!(value["type"], Value::Null);
    assert!(value.as_object().unwrap().contains_key("service"));
}

#[test]
fn values_are_normalised() {
    let mut value = json!({
        "host": "h", "deny": ["a"], "port": 8000.0, "methods": ["GET", "HEAD", "GET"], "headers": [],
        "inner": {}, "service": "a-service", "algorithm": "round-robin", "weight": 100, "key_names": null,
    });
    assert_eq!(everything().complete(&mut value), []);
    assert_eq!(value["port"].to_string(), "8000");
    assert_eq!(value["methods"], json!(["GET", "HEAD"]));
    assert_eq!(value["headers"], json!({}));
    assert_eq!(value["key_names"], json!(["apikey"]));
    let typed: Everything = serde_json::from_value(value).unwrap();
    assert_eq!(typed.service, Some(Reference::Name("a-service".to_owned())));
    assert_eq!(typed.weight, Some(Weight(100)));
}

#[test]
fn all_problems_are_told_at_once() {
    let mut value = json!({
        "hide_credentials": "yes", "generator": "x", "port": 65536, "methods": ["GET", "PUT"], "host": "a b",
        "inner": {"port": "x", "other": 1}, "headers": {"A": "b"}, "service": {"id": "x"}, "weight": 101,
        "algorithm": "roundrobin", "anonymous": "abc", "what": 1,
    });
    let problems = everything().complete(&mut value);
    let told: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(
        told,
        [
            "hide_credentials: expected a boolean",
            "anonymous: length must be at least 5",
            "generator: expected one of: uuid, uuid#counter, tracker",
            "port: value should be between 0 and 65535",
            "methods[1]: expected one of: GET, HEAD",
            "host: invalid value: a b",
            "inner.port: expected an integer",
            "inner.other: unknown field",
            "headers.A: expected an array",
            "service.id: expected a valid UUID",
            "algorithm: expected one of: round-robin, least-connections",
            "weight: value should be between 0 and 100",
            "what: unknown field",
            "@entity: at least one of these fields must be non-empty: 'allow', 'deny'",
        ]
    );
    assert_eq!(
        fields(&problems),
        json!({
            "@entity": ["at least one of these fields must be non-empty: 'allow', 'deny'"],
            "hide_credentials": "expected a boolean",
            "anonymous": "length must be at least 5",
            "generator": "expected one of: uuid, uuid#counter, tracker",
            "port": "value should be between 0 and 65535",
            "methods": [null, "expected one of: GET, HEAD"],
            "host": "invalid value: a b",
            "inner": {"port": "expected an integer", "other": "unknown field"},
            "headers": "expected an array",
            "service": {"id": "expected a valid UUID"},
            "algorithm": "expected one of: round-robin, least-connections",
            "weight": "value should be between 0 and 100",
            "what": "unknown field",
        })
    );
    assert!(message(&problems).starts_with(
        "14 schema violations (at least one of these fields must be non-empty: 'allow', 'deny'; \
         algorithm: expected one of: round-robin, least-connections; anonymous: "
    ));
}

#[test]
fn shorthands_become_fields() {
    let mut value = json!({"url": "http://example.com", "old_port": 7000, "allow": ["a"]});
    assert_eq!(everything().complete(&mut value), []);
    assert_eq!((&value["host"], &value["inner"]["port"]), (&json!("example.com"), &json!(7000)));
    assert!(value.get("url").is_none() && value.get("old_port").is_none());
}

#[test]
fn conditional_checks_name_the_field_and_the_record() {
    let mut value = json!({"host": "h", "allow": ["a"], "generator": "tracker"});
    let problems = everything().complete(&mut value);
    assert_eq!(
        fields(&problems),
        json!({
            "@entity": ["failed conditional validation given value of field 'generator'"],
            "port": "required field missing",
        })
    );
}

#[test]
fn secrets_are_not_looked_at() {
    let mut value = json!({"host": "h", "allow": ["a"], "anonymous": "{vault://x}"});
    assert_eq!(everything().complete(&mut value), []);
}
