//! Every attribute of the derive, as it comes out in the schema.

#![expect(dead_code, reason = "only the schemas of these types are looked at")]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use towergate_schema::{Problem, RecordSchema, Reference, Schema, checks, fields, typedefs};

const LIMIT: usize = 9;

fn even(value: &Value) -> Result<(), String> {
    match value.as_i64() {
        Some(number) if number % 2 != 0 => Err("must be even".to_owned()),
        _ => Ok(()),
    }
}

fn ordered(map: &Map<String, Value>) -> Result<(), Vec<Problem>> {
    let number = |name: &str| map.get(name).and_then(Value::as_i64).unwrap_or_default();
    if number("low") <= number("high") { Ok(()) } else { Err(vec![Problem::entity("low must not be above high")]) }
}

/// All attributes of fields.
#[derive(Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    /// One line
    /// and another.
    ///
    /// A second paragraph.
    two_words: Option<String>,
    #[serde(rename = "x#y")]
    renamed: Option<String>,
    #[schema(name = "given")]
    named: Option<String>,
    #[schema(skip)]
    #[serde(default)]
    skipped: String,
    #[serde(skip)]
    unknown: (),
    r#type: Option<String>,
    #[schema(not_one_of("env"), len_min = 2, len_max = LIMIT, starts_with = "/", description = "Own words.")]
    text: Option<String>,
    #[schema(len_eq = 3, is_regex)]
    regex: Option<String>,
    #[schema(pattern = "^[a-z]+$")]
    plain: Option<String>,
    #[schema(pattern("^[A-Z]+$", shown = "^%u+$"), not_pattern("X", message = "no X"), not_pattern = "Y")]
    method: Option<String>,
    #[schema(between(-1, 0.5))]
    number: Option<f64>,
    #[schema(gt = -1, timestamp)]
    time: Option<f64>,
    #[schema(eq = true)]
    accepted: bool,
    #[schema(ne = "a", message = "not this")]
    other: Option<String>,
    #[schema(eq = null, foreign = "consumers")]
    nobody: Option<Reference>,
    #[schema(contains = "exp", mutually_exclusive_subsets(["a", "b"], ["c"]))]
    list: Option<Vec<String>>,
    #[schema(set, elements(one_of("a", "b"), referenceable))]
    set: Option<Vec<String>>,
    #[schema(keys(len_max = 5), values(elements(len_min = 0)))]
    map: Option<BTreeMap<String, Vec<String>>>,
    #[schema(kind = map(string, array(integer)))]
    kind: Option<Value>,
    #[schema(like = typedefs::port, default = 80)]
    port: u16,
    #[schema(custom = checks::host)]
    host: Option<String>,
    #[schema(uuid, unique, immutable, encrypted, referenceable)]
    id: Option<String>,
    #[schema(deprecated)]
    old: Option<bool>,
    #[schema(deprecated = "use new")]
    older: Option<bool>,
    #[schema(deprecated(message = "use new", removal_in_version = "4.0", old_default = 10))]
    oldest: Option<i64>,
    #[schema(default = {"a": [1, -2, null]})]
    object: Option<Value>,
}

#[test]
fn attributes_of_fields() {
    let described = Fields::record().describe();
    let expected = json!([
        {"twoWords": {"type": "string", "description": "One line and another.\n\nA second paragraph."}},
        {"x#y": {"type": "string"}},
        {"given": {"type": "string"}},
        {"type": {"type": "string"}},
        {"text": {
            "type": "string", "description": "Own words.",
            "not_one_of": ["env"], "len_min": 2, "len_max": 9, "starts_with": "/",
        }},
        {"regex": {"type": "string", "len_eq": 3, "is_regex": true}},
        {"plain": {"type": "string", "match": "^[a-z]+$"}},
        {"method": {
            "type": "string", "match": "^%u+$",
            "match_none": [{"pattern": "X", "err": "no X"}], "not_match": "Y",
        }},
        {"number": {"type": "number", "between": [-1, 0.5]}},
        {"time": {"type": "number", "gt": -1, "timestamp": true}},
        {"accepted": {"type": "boolean", "required": true, "eq": true}},
        {"other": {"type": "string", "ne": "a", "err": "not this"}},
        {"nobody": {"type": "foreign", "reference": "consumers", "eq": null}},
        {"list": {
            "type": "array", "elements": {"type": "string"},
            "contains": "exp", "mutually_exclusive_subsets": [["a", "b"], ["c"]],
        }},
        {"set": {"type": "set", "elements": {"type": "string", "one_of": ["a", "b"], "referenceable": true}}},
        {"map": {
            "type": "map", "keys": {"type": "string", "len_max": 5},
            "values": {"type": "array", "elements": {"type": "string", "len_min": 0}},
        }},
        {"kind": {
            "type": "map", "keys": {"type": "string"}, "values": {"type": "array", "elements": {"type": "integer"}},
        }},
        {"port": {"type": "integer", "default": 80, "between": [0, 65535]}},
        {"host": {"type": "string"}},
        {"id": {
            "type": "string", "uuid": true,
            "unique": true, "immutable": true, "encrypted": true, "referenceable": true,
        }},
        {"old": {"type": "boolean", "deprecation": {}}},
        {"older": {"type": "boolean", "deprecation": {"message": "use new"}}},
        {"oldest": {
            "type": "integer",
            "deprecation": {"message": "use new", "removal_in_version": "4.0", "old_default": 10},
        }},
        {"object": {"type": "json", "default": {"a": [1, -2, null]}}},
    ]);
    let (described, expected) = (described.get("fields"), expected.as_array());
    for (described, expected) in
        described.and_then(Value::as_array).into_iter().flatten().zip(expected.into_iter().flatten())
    {
        assert_eq!(described, expected);
    }
    assert_eq!(described.and_then(Value::as_array).map(Vec::len), expected.map(Vec::len));
}

/// All attributes of records.
#[derive(Deserialize, Schema)]
#[schema(
    at_least_one_of("low", "high"),
    only_one_of("a", "b"),
    mutually_required("c", "d"),
    mutually_exclusive("c", "low"),
    distinct("a", "b"),
    mutually_exclusive_sets(["a"], ["c", "d"]),
    conditional(
        if_field = "a",
        if_match(one_of("x", "y")),
        then_field = "shared.b",
        then_match(ne = null, len_max = 2),
        then_err = "needs b, says %s"
    ),
    conditional_at_least_one_of(if_field = "a", if_match(eq = "x"), then_at_least_one_of("c", "d"), then_err = "one of %s"),
    custom = ordered,
    custom(fields("low", "high"), check = ordered),
    owner(at_least_one_of("config.a", "config.b"))
)]
#[schema(shorthand("old_b", path = "shared.b", kind = string, len_max = 5, deprecated = "use shared.b"))]
struct Checks {
    low: Option<i64>,
    #[schema(custom = even)]
    high: Option<i64>,
    a: Option<String>,
    b: Option<String>,
    c: Option<String>,
    d: Option<String>,
    shared: Shared<String>,
    #[serde(flatten)]
    more: Shared<Level>,
}

#[derive(Deserialize, Schema)]
struct Shared<T> {
    b: Option<T>,
}

#[derive(Deserialize, Schema)]
#[schema(len_max = 20)]
enum Level {
    #[serde(rename = "very high")]
    VeryHigh,
    Low,
    #[serde(skip)]
    None,
}

#[derive(Schema)]
struct Share(#[schema(between(0, 1))] f64);

#[test]
fn attributes_of_records() {
    let described = Checks::record().describe();
    assert_eq!(
        described.get("entity_checks"),
        Some(&json!([
            {"at_least_one_of": ["low", "high"]},
            {"only_one_of": ["a", "b"]},
            {"mutually_required": ["c", "d"]},
            {"mutually_exclusive": ["c", "low"]},
            {"distinct": ["a", "b"]},
            {"mutually_exclusive_sets": {"set1": ["a"], "set2": ["c", "d"]}},
            {"conditional": {
                "if_field": "a", "if_match": {"one_of": ["x", "y"]},
                "then_field": "shared.b", "then_match": {"ne": null, "len_max": 2},
                "then_err": "needs b, says %s",
            }},
            {"conditional_at_least_one_of": {
                "if_field": "a", "if_match": {"eq": "x"}, "then_at_least_one_of": ["c", "d"], "then_err": "one of %s",
            }},
            {"custom_entity_check": {"field_sources": []}},
            {"custom_entity_check": {"field_sources": ["low", "high"]}},
        ]))
    );
    assert_eq!(
        described.get("shorthand_fields"),
        Some(&json!([{"old_b": {
            "type": "string", "len_max": 5,
            "deprecation": {"message": "use shared.b", "replaced_with": [{"path": ["shared", "b"]}]},
        }}]))
    );
    assert_eq!(Checks::record().owner_checks().len(), 1);
    assert_eq!(Checks::record().description(), Some("All attributes of records."));
    // a flattened record's field takes the place of one with the same name
    let b = Checks::record().named("b").cloned().map(|field| format!("{:?}", field.rules));
    assert_eq!(b.as_deref(), Some(r#"[one of [String("very high"), String("Low")], length at most 20]"#));
}

#[test]
fn derived_checks_run() {
    let told = |mut value| fields(&Checks::record().complete(&mut value));
    assert_eq!(
        told(json!({"low": 3, "high": 2, "a": "z"})),
        json!({
            "@entity": ["low must not be above high", "low must not be above high"],
        })
    );
    assert_eq!(told(json!({"low": 1, "high": 3, "a": "z"})), json!({"high": "must be even"}));
    assert_eq!(
        told(json!({"high": 2, "a": "y", "old_b": "abc"})),
        json!({
            "@entity": ["needs b, says a"], "shared": {"b": "length must be at most 2"},
        })
    );
}

#[test]
fn newtypes_and_collections() {
    let kinds = [
        (Share::field(), "number"),
        (Vec::<Share>::field(), "array"),
        (BTreeSet::<String>::field(), "set"),
        (HashMap::<String, bool>::field(), "map"),
        (Option::<Box<Share>>::field(), "number"),
        (Reference::field(), "foreign"),
        (Shared::<u8>::field(), "record"),
        (Value::field(), "json"),
    ];
    for (field, expected) in kinds {
        assert_eq!(field.kind.name(), expected);
    }
    assert_eq!(Share::field().rules.len(), 1);
    assert!(Option::<Share>::field().nullable);
}

/// `like` took away what was written before it.
#[test]
fn flags_before_like_stay() {
    #[derive(Deserialize, Schema)]
    struct Sni {
        #[schema(unique, immutable, referenceable, like = typedefs::wildcard_host)]
        before: String,
        #[schema(like = typedefs::wildcard_host, unique, immutable, referenceable)]
        after: String,
    }
    let record = Sni::record();
    for name in ["before", "after"] {
        let field = record.named(name).unwrap();
        assert!(field.unique && field.immutable && field.referenceable, "{name}");
        assert_eq!(field.rules.len(), typedefs::wildcard_host().rules.len(), "{name}");
    }
}
