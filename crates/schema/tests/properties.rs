//! What holds for any value at all.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use towergate_schema::{Record, RecordSchema, Reference, Schema, fields, message, typedefs};

/// A type with all kinds of fields, whose names are single letters so that random values meet them.
#[derive(Debug, PartialEq, Serialize, Deserialize, Schema)]
#[schema(at_least_one_of("a", "b"), mutually_exclusive("c", "d"))]
#[schema(conditional(if_field = "a", if_match(len_min = 2), then_field = "n.a", then_match(gt = 0)))]
#[schema(shorthand("y", path = "n.a", kind = integer), shorthand_fn("z", kind = string, expand = expand))]
struct Any {
    #[schema(len_min = 0)]
    a: Option<String>,
    #[schema(default = 3, between(-5, 5))]
    b: i8,
    #[schema(gt = 0, default = 1.5)]
    c: Option<f64>,
    #[schema(default = true)]
    d: bool,
    #[schema(elements(len_max = 2))]
    e: Option<Vec<String>>,
    #[schema(like = typedefs::tags)]
    f: Option<BTreeSet<String>>,
    g: Option<BTreeMap<String, Vec<u8>>>,
    #[schema(foreign = "services")]
    h: Option<Reference>,
    i: Option<uuid::Uuid>,
    j: Value,
    k: Option<Map<String, Value>>,
    l: Option<Letter>,
    m: Option<Vec<Nested>>,
    n: Nested,
    #[schema(set)]
    o: Option<Vec<Nested>>,
    #[serde(flatten)]
    more: More,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Schema)]
struct Nested {
    #[schema(default = 1)]
    a: u32,
    b: Option<Value>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Schema)]
struct More {
    p: Option<u64>,
    #[schema(referenceable, one_of("a"), default = "a")]
    q: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "lowercase")]
enum Letter {
    A,
    B,
}

fn expand(value: Value) -> Result<Map<String, Value>, String> {
    Ok(Map::from_iter([("a".to_owned(), value)]))
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-6i64..300).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-4i8..4).prop_map(|number| Value::from(f64::from(number))),
        any::<f64>().prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from),
        Just(Value::from("{vault://env/a}")),
        Just(Value::from("0dc6f45b-8f8d-40d2-a504-473544ee190b")),
        ".{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]|id|name|@entity", inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A value most of whose fields are right, so that some are right as a whole.
fn nearly_right() -> impl Strategy<Value = Value> {
    let field = |name: &'static str, values: &'static str| {
        let values: Vec<Value> = serde_json::from_str(values).unwrap_or_default();
        prop::option::of(prop::sample::select(values))
            .prop_map(move |value| value.map(|value| (name.to_owned(), value)))
    };
    let fields = vec![
        field("a", r#"["a", "abc", null]"#).boxed(),
        field("b", "[1, 2.0, null]").boxed(),
        Just(Some(("c".to_owned(), Value::Null))).boxed(),
        field("e", r#"[["a", "b"], [], {}]"#).boxed(),
        field("f", r#"[["a", "b", "a"]]"#).boxed(),
        field("g", r#"[{"x": [1, 2.0]}, [], {}]"#).boxed(),
        field("h", r#"["x", {"name": "x"}, {"id": "0dc6f45b-8f8d-40d2-a504-473544ee190b"}]"#).boxed(),
        field("j", r#"[1, [null], {"x": null}]"#).boxed(),
        field("k", r#"[{"x": null}]"#).boxed(),
        field("l", r#"["a", "b"]"#).boxed(),
        field("m", r#"[[{"a": 1.0}, {}, []], []]"#).boxed(),
        field("n", r#"[{}, {"a": 2}, [], {"b": 3}]"#).boxed(),
        field("o", r#"[[{}, {"a": 1}]]"#).boxed(),
        field("p", "[1, 5.0, 18446744073709551615]").boxed(),
        field("q", r#"["a", "{vault://env/a}"]"#).boxed(),
        field("y", "[1, 7]").boxed(),
        field("z", r#"["a", "bc"]"#).boxed(),
    ];
    fields.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect()))
}

fn holds(record: &Record, mut value: Value) -> Result<bool, TestCaseError> {
    let problems = record.complete(&mut value);
    if problems.is_empty() {
        let mut again = value.clone();
        prop_assert_eq!(record.complete(&mut again), []);
        prop_assert_eq!(&again, &value);
        let typed = serde_json::from_value::<Any>(value.clone());
        prop_assert!(typed.is_ok(), "{value} is no value of the type: {typed:?}");
    } else {
        let _ = fields(&problems);
        prop_assert!(message(&problems).contains("schema violation"));
    }
    Ok(problems.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn any_value_is_completed_or_told_what_is_wrong(value in json()) {
        holds(&Any::record(), value)?;
    }

    #[test]
    fn a_completed_value_is_a_value_of_the_type(value in nearly_right()) {
        holds(&Any::record(), value)?;
    }
}

#[test]
fn some_values_are_right() {
    let record = Any::record();
    assert!(holds(&record, serde_json::json!({"a": "x", "c": null})).unwrap());
    assert!(!holds(&record, serde_json::json!({"a": "x", "c": 1})).unwrap());
}
