//! What must hold between fields: Kong's words, and when nothing is said.

use serde_json::{Map, Value, json};
use std::sync::Arc;
use towergate_schema::{Check, Field, Problem, Record, Shorthand, fields, message, typedefs};

fn base() -> Record {
    let inner = Record::new().field("host", Field::string().nullable()).field("port", Field::integer().nullable());
    Record::new()
        .field("a", Field::string().nullable())
        .field("b", Field::string().nullable())
        .field("n", Field::integer().nullable())
        .field("secret", Field::string().referenceable().nullable())
        .field("list", Field::array(Field::string()).nullable())
        .field("policy", Field::string().one_of(["local", "redis"]).default("local"))
        .field("redis", Field::record(inner))
}

fn told(check: Check, mut value: Value) -> Value {
    fields(&base().check(check).complete(&mut value))
}

fn entity(text: &str) -> Value {
    json!({ "@entity": [text] })
}

#[test]
fn checks_speak_kongs_words() {
    let none = json!({});
    for (check, good, bad, text) in [
        (
            Check::at_least_one_of(&["a", "b"]),
            json!({"a": "x", "b": "y"}),
            json!({"list": ["x"]}),
            "at least one of these fields must be non-empty: 'a', 'b'",
        ),
        (
            Check::at_least_one_of(&["redis.host", "list"]),
            json!({"redis": {"host": "h"}}),
            json!({"list": []}),
            "at least one of these fields must be non-empty: 'redis.host', 'list'",
        ),
        (
            Check::only_one_of(&["a", "b"]),
            json!({"a": "x"}),
            json!({"a": "x", "b": "y"}),
            "exactly one of these fields must be non-empty: 'a', 'b'",
        ),
        (
            Check::only_one_of(&["a", "b"]),
            json!({"b": "x"}),
            none.clone(),
            "exactly one of these fields must be non-empty: 'a', 'b'",
        ),
        (
            Check::mutually_required(&["a", "b"]),
            none.clone(),
            json!({"a": "x"}),
            "all or none of these fields must be set: 'a', 'b'",
        ),
        (
            Check::mutually_exclusive(&["a", "b"]),
            json!({"a": "x"}),
            json!({"a": "x", "b": "x"}),
            "only one or none of these fields must be set: 'a', 'b'",
        ),
        (
            Check::mutually_exclusive_sets(&["a", "b"], &["list", "n"]),
            json!({"a": "x", "b": "y"}),
            json!({"a": "x", "b": "y", "n": 1}),
            "these sets are mutually exclusive: ('a', 'b'), ('n')",
        ),
        (
            Check::distinct(&["a", "b"]),
            json!({"a": "x", "b": "y"}),
            json!({"a": "x", "b": "x"}),
            "values of these fields must be distinct: 'a', 'b'",
        ),
        (
            Check::conditional_at_least_one_of("policy", Field::any().one_of(["redis"]), &["a", "b"]),
            none.clone(),
            json!({"policy": "redis"}),
            "at least one of these fields must be non-empty: 'a', 'b'",
        ),
        (
            Check::conditional_at_least_one_of("policy", Field::any().one_of(["redis"]), &["a", "b"])
                .with_message("must set one of %s when 'policy' is 'redis'"),
            json!({"policy": "redis", "a": "x"}),
            json!({"policy": "redis"}),
            "must set one of 'a', 'b' when 'policy' is 'redis'",
        ),
    ] {
        assert_eq!(told(check.clone(), good.clone()), json!({}), "{check:?} {good}");
        assert_eq!(told(check.clone(), bad.clone()), entity(text), "{check:?} {bad}");
    }
}

fn redis_needs(field: &str, condition: Field) -> Check {
    Check::conditional("policy", Field::any().one_of(["redis"]), field, condition)
}

#[test]
fn conditional_checks_tell_the_field_too() {
    let text = "failed conditional validation given value of field 'policy'";
    assert_eq!(told(redis_needs("redis.host", Field::any().required()), json!({})), json!({}));
    assert_eq!(
        told(redis_needs("redis.host", Field::any().required()), json!({"policy": "redis"})),
        json!({"@entity": [text], "redis": {"host": "required field missing"}})
    );
    assert_eq!(
        told(redis_needs("n", Field::any().between(1.0, 5.0)), json!({"policy": "redis", "n": 6})),
        json!({"@entity": [text], "n": "value should be between 1 and 5"})
    );
    let forbidden = redis_needs("a", Field::any().rule(towergate_schema::Rule::Eq(Value::Null)));
    assert_eq!(told(forbidden.clone(), json!({"policy": "redis"})), json!({}));
    assert_eq!(
        told(forbidden.with_message("no a with %s"), json!({"policy": "redis", "a": "x"})),
        json!({"@entity": ["no a with policy"], "a": "value must be null"})
    );
    // what the condition does not say, the field itself still does
    assert_eq!(told(redis_needs("a", Field::any().rule(towergate_schema::Rule::LenMax(3))), json!({"policy": "x"})), {
        json!({"policy": "expected one of: local, redis"})
    });
}

#[test]
fn secrets_are_not_checked() {
    let check = Check::distinct(&["a", "secret"]);
    assert_eq!(told(check, json!({"a": "{vault://e/x}", "secret": "{vault://e/x}"})), json!({}));
}

fn refuse(_: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    Err(vec![Problem::entity("no"), Problem::field("redis.port", "not this")])
}

#[test]
fn custom_checks_run_only_on_valid_fields() {
    let check = || Check::custom(&["a", "n"], refuse);
    assert_eq!(told(check(), json!({"a": "x"})), json!({"@entity": ["no"], "redis": {"port": "not this"}}));
    assert_eq!(told(check(), json!({"a": "x", "n": "y"})), json!({"n": "expected an integer"}));
    // a problem elsewhere does not matter to a check of its own fields, but to one of the whole record
    let elsewhere = json!({"b": 1});
    assert_eq!(told(check(), elsewhere.clone())["@entity"], json!(["no"]));
    assert_eq!(told(Check::custom(&[], refuse), elsewhere), json!({"b": "expected a string"}));
    assert_eq!(told(Check::custom(&[], refuse), json!({}))["@entity"], json!(["no"]));
}

#[test]
fn a_check_asks_for_the_fields_it_needs() {
    let record = Record::new()
        .field("cert", Field::string())
        .field("key", Field::string())
        .check(Check::custom(&["cert", "key"], |_| Ok(())));
    // nothing is there: each is missing for itself
    assert_eq!(
        fields(&record.complete(&mut json!({}))),
        json!({"cert": "required field missing", "key": "required field missing"})
    );
    let record = Record::new()
        .field("cert", Field::string())
        .field("key", Field::string())
        .check(Check::distinct(&["cert", "key"]));
    assert_eq!(fields(&record.complete(&mut json!({"cert": "c"}))), json!({"key": "field required for entity check"}));
}

#[test]
fn the_owner_makes_the_checks_that_name_its_field() {
    let config = Record::new()
        .field("minute", Field::number().nullable())
        .field("hour", Field::number().nullable())
        .owner_check(Check::at_least_one_of(&["config.minute", "config.hour"]));
    let plugin = Record::new().field("name", Field::string()).field("config", Field::any());
    let plugin = plugin.specialise("config", Arc::new(config));
    let mut value = json!({"name": "rate-limiting"});
    let text = "at least one of these fields must be non-empty: 'config.minute', 'config.hour'";
    let found = plugin.complete(&mut value);
    assert_eq!(fields(&found), entity(text));
    assert_eq!(message(&found), format!("schema violation ({text})"));
    assert_eq!(value, json!({"name": "rate-limiting", "config": {"minute": null, "hour": null}}));
    assert_eq!(plugin.complete(&mut json!({"name": "rate-limiting", "config": {"hour": 5}})), []);
}

#[test]
fn problems_of_nested_records_are_printed_as_lua_does() {
    let inner = Record::new()
        .field("a", Field::string().nullable())
        .field("n", Field::integer().nullable())
        .check(Check::at_least_one_of(&["a"]));
    let config = Record::new()
        .field("limit", Field::array(Field::integer()).nullable())
        .field("inner", Field::record(inner))
        .field("name", Field::string());
    let record = Record::new().field("config", Field::record(config));
    let found = record.complete(&mut json!({"config": {"name": "x", "limit": [1, "x"], "inner": {"n": "\"", "x": 1}}}));
    assert_eq!(
        message(&found),
        "2 schema violations (config.inner: {\n  [\"@entity\"] = {\n    \"at least one of these fields must be \
         non-empty: 'a'\"\n  },\n  n = \"expected an integer\",\n  x = \"unknown field\"\n}; config.limit: {\n  \
         [2] = \"expected an integer\"\n})"
    );
    assert_eq!(fields(&found)["config"]["limit"], json!([null, "expected an integer"]));
    let found = record.complete(&mut json!({"config": {"inner": {"a": "x"}}}));
    assert_eq!(message(&found), "schema violation (config.name: required field missing)");
}

#[test]
fn two_problems_are_told_by_field_name() {
    let record = Record::new().field("path", typedefs::path().nullable()).field("host", Field::string());
    assert_eq!(
        message(&record.complete(&mut json!({"path": "x"}))),
        "2 schema violations (host: required field missing; path: should start with: /)"
    );
}

#[test]
fn old_names_give_way_to_new_ones() {
    let record = base().shorthand(Shorthand::moved("redis_host", "redis.host", Field::string()));
    let old = |value: Value| {
        let mut value = value;
        let told = fields(&record.complete(&mut value));
        (told, value["redis"]["host"].clone())
    };
    let none = json!({});
    assert_eq!(old(json!({"redis_host": "h"})), (none.clone(), json!("h")));
    assert_eq!(old(json!({"redis_host": "h", "redis": {"port": 1}})), (none.clone(), json!("h")));
    assert_eq!(old(json!({"redis_host": "h", "redis": {"host": null}})), (none.clone(), json!("h")));
    assert_eq!(old(json!({"redis_host": null, "redis": {"host": "n"}})), (none.clone(), json!("n")));
    assert_eq!(old(json!({"redis_host": "h", "redis": {"host": "h"}})), (none, json!("h")));
    let text = "both deprecated and new field are used but their values mismatch: redis_host = h vs redis.host = n";
    assert_eq!(old(json!({"redis_host": "h", "redis": {"host": "n"}})).0, json!({ "redis_host": text }));
    assert_eq!(old(json!({"redis_host": 1})).0, json!({"redis_host": "expected a string"}));
}

/// Kong's services and plugins, as far as its own tests have messages about them.
fn service() -> Record {
    let forbidden = || Field::any().rule(towergate_schema::Rule::Eq(Value::Null));
    Record::new()
        .field("host", typedefs::host())
        .field("protocol", typedefs::protocol().default("http"))
        .field("connect_timeout", typedefs::timeout().default(60000))
        .field("protocols", typedefs::protocols())
        .field("service", Field::foreign_key("services").nullable())
        .field("tls_verify", Field::boolean().nullable())
        .field("config", Field::record(Record::new().field("limits", Field::any().required()).field("a", Field::any())))
        .check(Check::conditional("protocol", Field::any().not_one_of(["https", "tls"]), "tls_verify", forbidden()))
}

#[test]
fn messages_are_those_of_kong() {
    for (value, expected) in [
        (json!({"config": {"limits": 1}}), "schema violation (host: required field missing)"),
        (json!({"host": "h", "config": 1}), "schema violation (config: expected a record)"),
        (json!({"host": "h"}), "schema violation (config.limits: required field missing)"),
        (
            json!({"host": "h", "protocols": ["http", 1], "config": {"limits": 1}}),
            "schema violation (protocols.2: expected a string)",
        ),
        (
            json!({"host": "h", "service": {}, "config": {"limits": 1}}),
            "schema violation (service.id: missing primary key)",
        ),
        (
            json!({"connect_timeout": "x", "config": {"limits": 1}}),
            "2 schema violations (connect_timeout: expected an integer; host: required field missing)",
        ),
        (
            json!({"host": "h", "tls_verify": true, "config": {"limits": 1}}),
            "2 schema violations (failed conditional validation given value of field 'protocol'; \
             tls_verify: value must be null)",
        ),
        (json!({"host": "h", "foo": 1, "config": {"limits": 1}}), "schema violation (foo: unknown field)"),
    ] {
        assert_eq!(message(&service().complete(&mut value.clone())), expected, "{value}");
    }
}
