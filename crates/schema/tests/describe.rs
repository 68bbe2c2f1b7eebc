//! Schemas as data: for the Admin API, for editors, for people.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use towergate_schema::{Check, Deprecation, Field, Record, RecordSchema, Reference, Schema, Shorthand, typedefs};

/// Kong's key-auth, word for word where it is shown.
#[derive(Schema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct KeyAuth {
    /// Names of parameters.
    #[schema(required, default = ["apikey"], elements(like = typedefs::header_name))]
    key_names: Vec<String>,
    #[schema(required, default = false)]
    hide_credentials: bool,
    anonymous: Option<String>,
    #[schema(required, default = true)]
    run_on_preflight: bool,
}

/// The fields around any plugin's configuration.
#[derive(Schema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Plugin {
    #[schema(foreign = "consumers", eq = null)]
    consumer: Option<Reference>,
    #[schema(like = typedefs::protocols_http)]
    protocols: Vec<String>,
    config: Value,
}

#[test]
fn key_auth_is_described_as_kong_does() {
    let described = Plugin::record().specialise("config", Arc::new(KeyAuth::record())).describe();
    let expected = json!({
        "fields": [
            {"consumer": {"type": "foreign", "reference": "consumers", "eq": null}},
            {"protocols": {
                "type": "set",
                "required": true,
                "default": ["grpc", "grpcs", "http", "https"],
                "elements": {"type": "string", "one_of": ["grpc", "grpcs", "http", "https"]},
            }},
            {"config": {
                "type": "record",
                "required": true,
                "fields": [
                    {"key_names": {
                        "type": "array",
                        "description": "Names of parameters.",
                        "required": true,
                        "default": ["apikey"],
                        "elements": {"type": "string"},
                    }},
                    {"hide_credentials": {"type": "boolean", "required": true, "default": false}},
                    {"anonymous": {"type": "string"}},
                    {"run_on_preflight": {"type": "boolean", "required": true, "default": true}},
                ],
            }},
        ],
        "entity_checks": [],
    });
    assert_eq!(described, expected);
}

fn sample() -> Record {
    let redis = Record::new().field("host", typedefs::host().nullable()).field("port", typedefs::port().default(6379));
    let deprecation = Deprecation {
        message: "use redis.host".to_owned(),
        removal_in_version: Some("4.0".to_owned()),
        old_default: None,
    };
    Record::new()
        .describe_as("A sample.")
        .field("name", typedefs::utf8_name().describe("What it is called.\n\nOnce | only."))
        .field("retries", Field::integer().between(0.0, 32767.0).default(5).nullable())
        .field("methods", typedefs::methods().nullable())
        .field("password", Field::string().len_min(0).referenceable().encrypted().nullable())
        .field("path", typedefs::path().nullable())
        .field("policy", Field::string().one_of(["local", "redis"]).default("local"))
        .field("redis", Field::record(redis))
        .field("old", Field::number().nullable().deprecated(deprecation.clone()))
        .shorthand(Shorthand::moved("redis_host", "redis.host", Field::string().deprecated(deprecation)))
        .check(Check::at_least_one_of(&["name", "path"]))
        .check(Check::conditional(
            "policy",
            Field::any().rule(towergate_schema::Rule::Eq(json!("redis"))),
            "redis.host",
            Field::any().required(),
        ))
        .check(Check::mutually_exclusive_sets(&["path"], &["methods"]))
        .check(Check::custom(&["name"], |_| Ok(())))
}

#[test]
fn rules_checks_and_old_names_are_described() {
    let described = sample().describe();
    let by_name: BTreeMap<String, Value> =
        described["fields"].as_array().unwrap().iter().flat_map(|field| field.as_object().unwrap().clone()).collect();
    assert_eq!(by_name["retries"], json!({"type": "integer", "default": 5, "between": [0, 32767]}));
    assert_eq!(by_name["methods"]["elements"]["match"], "^%u+$");
    assert_eq!(by_name["password"], json!({"type": "string", "referenceable": true, "encrypted": true, "len_min": 0}));
    assert_eq!(by_name["path"]["starts_with"], "/");
    assert_eq!(by_name["path"]["match_none"], json!([{"pattern": "//", "err": "must not have empty segments"}]));
    assert_eq!(by_name["name"]["unique"], true);
    assert_eq!(by_name["old"]["deprecation"], json!({"message": "use redis.host", "removal_in_version": "4.0"}));
    assert_eq!(
        described["entity_checks"],
        json!([
            {"at_least_one_of": ["name", "path"]},
            {"conditional": {
                "if_field": "policy", "if_match": {"eq": "redis"},
                "then_field": "redis.host", "then_match": {"required": true},
            }},
            {"mutually_exclusive_sets": {"set1": ["path"], "set2": ["methods"]}},
            {"custom_entity_check": {"field_sources": ["name"]}},
        ])
    );
    assert_eq!(
        described["shorthand_fields"],
        json!([{"redis_host": {
            "type": "string",
            "deprecation": {
                "message": "use redis.host",
                "removal_in_version": "4.0",
                "replaced_with": [{"path": ["redis", "host"]}],
            },
        }}])
    );
}

#[test]
fn editors_get_a_json_schema() {
    let schema = sample().json_schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!((&schema["type"], &schema["additionalProperties"]), (&json!("object"), &json!(false)));
    let properties = &schema["properties"];
    assert_eq!(
        properties["retries"],
        json!({
            "anyOf": [{"type": "integer", "minimum": 0, "maximum": 32767}, {"type": "null"}],
            "default": 5,
        })
    );
    assert_eq!(
        properties["password"]["anyOf"],
        json!([
            {"type": "string", "minLength": 0},
            {"type": "string", "pattern": "^\\{vault://.+\\}$"},
            {"type": "null"},
        ])
    );
    assert_eq!(
        properties["methods"]["anyOf"][0]["items"],
        json!({"type": "string", "minLength": 1, "pattern": "^[A-Z]+$"})
    );
    assert_eq!(properties["redis"]["anyOf"], Value::Null);
    assert_eq!(properties["redis"]["properties"]["port"]["default"], 6379);
    assert_eq!(properties["redis_host"]["deprecated"], true);
    let key_auth = KeyAuth::record().json_schema();
    assert_eq!(key_auth["required"], Value::Null);
    let plain = Record::new().field("a", Field::string()).field("b", Field::string().nullable()).json_schema();
    assert_eq!(plain["required"], json!(["a"]));
}

#[test]
fn people_get_a_table() {
    let expected = "\
| Field | Type | Default | Required | Constraint | Description |
| --- | --- | --- | --- | --- | --- |
| `name` | string | – | yes | unique | What it is called.<br>Once \\| only. |
| `retries` | integer | `5` |  | 0 to 32767 |  |
| `methods` | set of string (matches `^[A-Z]+$`) | – |  |  |  |
| `password` | string | – |  | may be empty; may be a `{vault://…}` reference; a secret |  |
| `path` | string | – |  | starts with `/`; does not match `//` |  |
| `policy` | string | `\"local\"` |  | one of `local`, `redis` |  |
| `redis` | record | – | yes |  |  |
| `redis.host` | string | – |  |  |  |
| `redis.port` | integer | `6379` |  | 0 to 65535 |  |
| `old` | number | – |  | deprecated: use redis.host |  |

* At least one of `name`, `path` is set.
* If `policy` is `redis`, `redis.host` is set.
* None of `path` is set together with any of `methods`.

* `redis_host` is the old name of `redis.host`.
";
    assert_eq!(sample().reference(), expected);
}

#[test]
fn changes_are_laid_over_what_is_there() {
    let record = sample();
    let present = json!({"name": "a", "retries": 5, "methods": ["GET"], "redis": {"host": "h", "port": 1}});
    let change = json!({"retries": null, "methods": ["PUT"], "redis": {"port": 2}, "what": 1});
    assert_eq!(
        record.merge(&change, &present),
        json!({"name": "a", "retries": null, "methods": ["PUT"], "redis": {"host": "h", "port": 2}, "what": 1})
    );
}

#[test]
fn changes_have_words_of_their_own() {
    let told = |mut value| sample().complete_update(&mut value).iter().map(ToString::to_string).collect::<Vec<_>>();
    let text = "@entity: when updating, at least one of these fields must be non-empty: 'name', 'path'";
    assert_eq!(told(json!({"name": null, "path": null})), ["name: required field missing", text]);
    assert_eq!(told(json!({"name": "a", "redis": null})), ["redis: required field missing"]);
    assert_eq!(told(json!({"name": "a", "retries": null})), [""; 0]);
    let both = told(json!({"name": "a", "path": "/", "methods": ["GET"], "policy": "redis"}));
    assert_eq!(both.iter().filter(|text| text.starts_with("@entity")).count(), 2);
}

#[test]
fn what_cannot_be_changed_is_told() {
    let record = Record::new().field("name", Field::string().immutable()).field("b", Field::string());
    let present = json!({"name": "a", "b": "b"});
    assert_eq!(record.immutable_changes(&json!({"name": "a", "b": "c"}), &present), []);
    let told = record.immutable_changes(&json!({"name": "b"}), &present);
    assert_eq!(told.iter().map(ToString::to_string).collect::<Vec<_>>(), ["name: immutable field cannot be updated"]);
}

#[test]
fn old_names_are_shown_and_warned_of() {
    let record = sample();
    let mut shown = json!({"redis": {"host": "h"}});
    record.show_old_names(&mut shown);
    assert_eq!(shown, json!({"redis": {"host": "h"}, "redis_host": "h"}));
    let told = |value| record.deprecations(&value).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(told(shown), ["redis_host: use redis.host"]);
    assert_eq!(told(json!({"old": 1, "redis_host": null})), ["old: use redis.host"]);
    assert_eq!(told(json!(1)), [""; 0]);
}
