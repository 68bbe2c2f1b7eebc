//! Every rule with a value that meets it and one that does not, and what Kong says to that.

use serde_json::{Value, json};
use towergate_schema::{Field, Problem, Record, Rule, fields, message, typedefs};

fn problems(field: Field, value: Value) -> Vec<Problem> {
    Record::new().field("x", field).complete(&mut json!({ "x": value }))
}

fn told(field: Field, value: Value) -> Value {
    fields(&problems(field, value)).get("x").cloned().unwrap_or_default()
}

#[test]
fn types_are_named_as_in_kong() {
    let text = Field::string;
    let wrong = json!({"a": 1});
    for (field, value, expected) in [
        (text(), json!(1), "expected a string"),
        (Field::number(), json!("1"), "expected a number"),
        (Field::integer(), json!("1"), "expected an integer"),
        (Field::integer(), json!(1.5), "expected an integer"),
        (Field::boolean(), json!("true"), "expected a boolean"),
        (Field::array(text()), wrong.clone(), "expected an array"),
        (Field::set_of(text()), wrong, "expected a set"),
        (Field::map(text(), text()), json!("a"), "expected a map"),
        (Field::record(Record::new()), json!("a"), "expected a record"),
        (text(), Value::Null, "required field missing"),
        (Field::map(text(), text()), json!({"a": 1}), "expected a string"),
    ] {
        assert_eq!(told(field, value), json!(expected));
    }
}

#[test]
fn rules_speak_kongs_words() {
    let text = Field::string;
    let number = Field::number;
    let pattern = || text().pattern("^[A-Z]+$", None);
    let list = || Field::array(text());
    let groups = vec![vec![json!("http"), json!("https")], vec![json!("tcp"), json!("tls"), json!("udp")]];
    for (field, good, bad, expected) in [
        (number().between(1.0, 10.0), json!(10), json!(11), "value should be between 1 and 10"),
        (number().between(0.0, 1.0), json!(0.5), json!(-0.1), "value should be between 0 and 1"),
        (number().rule(Rule::Gt(0.0)), json!(0.1), json!(0), "value must be greater than 0"),
        (number().rule(Rule::Eq(json!(2))), json!(2.0), json!(3), "value must be 2"),
        (Field::boolean().rule(Rule::Eq(json!(true))), json!(true), json!(false), "value must be true"),
        (text().rule(Rule::Ne(json!("a"))), json!("b"), json!("a"), "value must not be a"),
        (text().one_of(["a", "b"]), json!("a"), json!("c"), "expected one of: a, b"),
        (number().one_of([426, 301]), json!(301), json!(302), "expected one of: 426, 301"),
        (text().one_of(["a"]), json!("a"), json!(""), "expected one of: a"),
        (text().not_one_of(["env"]), json!("a"), json!("env"), "must not be one of: env"),
        (text(), json!("a"), json!(""), "length must be at least 1"),
        (text().len_min(0).len_min(3), json!("abc"), json!("ab"), "length must be at least 3"),
        (text().rule(Rule::LenMax(3)), json!("abc"), json!("abcd"), "length must be at most 3"),
        (text().rule(Rule::LenEq(3)), json!("abc"), json!("ab"), "length must be 3"),
        (list().len_min(1), json!(["a"]), json!([]), "length must be at least 1"),
        (pattern(), json!("GET"), json!("get"), "invalid value: get"),
        (text().pattern("^a", Some("must begin so")), json!("a"), json!("b"), "must begin so"),
        (text().not_pattern("//", Some("no empty segments")), json!("/"), json!("//"), "no empty segments"),
        (text().not_pattern("//", None), json!("/"), json!("//"), "invalid value: //"),
        (text().starts_with("/"), json!("/"), json!("a"), "should start with: /"),
        (text().rule(Rule::IsRegex), json!("a+"), json!("a("), "not a valid regex: a("),
        (number().rule(Rule::Timestamp), json!(1), json!(0), "expected a valid timestamp"),
        (list().rule(Rule::Contains(json!("exp"))), json!(["exp"]), json!(["nbf"]), "expected to contain: exp"),
        (
            list().rule(Rule::ExclusiveSubsets(groups)),
            json!(["http", "https"]),
            json!(["http", "tls"]),
            "these sets are mutually exclusive: ('http', 'https'), ('tcp', 'tls', 'udp')",
        ),
        (
            text().rule(Rule::Uuid),
            json!("0dc6f45b-8f8d-40d2-a504-473544ee190b"),
            json!("0DC6F45B-8F8D-40D2-A504-473544EE190B"),
            "expected a valid UUID",
        ),
        (text().custom(|_| Err("not so".to_owned())).nullable(), Value::Null, json!("a"), "not so"),
        (text().one_of(["a"]).message("only a"), json!("a"), json!("b"), "only a"),
        (Field::any().rule(Rule::Eq(Value::Null)), Value::Null, json!({"id": 1}), "value must be null"),
        (Field::any().rule(Rule::Ne(Value::Null)), json!(1), Value::Null, "value must not be null"),
    ] {
        assert_eq!(told(field.clone(), good.clone()), Value::Null, "{field:?} {good}");
        assert_eq!(told(field.clone(), bad.clone()), json!(expected), "{field:?} {bad}");
    }
}

#[test]
fn only_the_first_broken_rule_is_told() {
    let field = Field::string().starts_with("/").one_of(["/a", "/b"]).len_min(5);
    assert_eq!(told(field, json!("x")), json!("expected one of: /a, /b"));
    assert_eq!(told(typedefs::path(), json!("a//b")), json!("should start with: /"));
    assert_eq!(told(typedefs::path(), json!("/a//b")), json!("must not have empty segments"));
}

#[test]
fn integers_fit_the_type_behind_them() {
    #[derive(towergate_schema::Schema)]
    struct Sizes {
        #[expect(dead_code, reason = "only its schema is looked at")]
        small: Option<u8>,
        #[expect(dead_code, reason = "only its schema is looked at")]
        large: Option<u64>,
        #[expect(dead_code, reason = "only its schema is looked at")]
        #[schema(between(1, 10))]
        bound: Option<u8>,
        #[expect(dead_code, reason = "only its schema is looked at")]
        some: Option<std::num::NonZeroU16>,
    }
    let record = <Sizes as towergate_schema::RecordSchema>::record();
    let told = |value: Value| record.complete(&mut value.clone()).first().map(ToString::to_string);
    for (value, expected) in [
        (json!({"small": 255, "large": u64::MAX, "bound": 10, "some": 1}), None),
        (json!({"small": 256}), Some("small: value should be between 0 and 255")),
        (json!({"small": -1.0}), Some("small: value should be between 0 and 255")),
        (json!({"small": 1e300}), Some("small: value should be between 0 and 255")),
        (json!({"bound": 1000}), Some("bound: value should be between 1 and 10")),
        (json!({"large": -1}), Some("large: value should be between 0 and 18446744073709551615")),
        (json!({"some": 0}), Some("some: value should be between 1 and 65535")),
    ] {
        assert_eq!(told(value.clone()).as_deref(), expected, "{value}");
    }
    let mut value = json!({"small": 1.0, "large": 1e15});
    assert_eq!(record.complete(&mut value), []);
    assert_eq!(value.to_string(), r#"{"small":1,"large":1000000000000000,"bound":null,"some":null}"#);
}

#[test]
fn null_is_no_value_where_none_can_be() {
    let record = Record::new()
        .field("must", Field::string().default("a"))
        .field("may", Field::string().default("b").nullable())
        .field("auto", typedefs::uuid());
    let mut value = json!({"must": null, "may": null});
    assert_eq!(record.complete(&mut value), []);
    assert_eq!(value, json!({"must": "a", "may": null, "auto": null}));
    let mut value = json!({});
    assert_eq!(record.complete(&mut value), []);
    assert_eq!(value, json!({"must": "a", "may": "b", "auto": null}));
}

#[test]
fn elements_and_entries_are_required() {
    assert_eq!(told(Field::array(Field::string()), json!(["a", null])), json!([null, "required field missing"]));
    assert_eq!(told(Field::map(Field::string(), Field::string()), json!({"a": null})), json!("required field missing"));
    let found = problems(typedefs::headers(), json!({"a b": [], "c": ["", "d"]}));
    let told: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "x.a b: bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'",
            "x.c[0]: length must be at least 1",
        ]
    );
}

#[test]
fn an_empty_list_is_an_empty_record_and_the_other_way_round() {
    let record = Record::new()
        .field("record", Field::record(Record::new().field("a", Field::number().default(1))))
        .field("map", Field::map(Field::string(), Field::any()))
        .field("list", Field::array(Field::string()));
    let mut value = json!({"record": [], "map": [], "list": {}});
    assert_eq!(record.complete(&mut value), []);
    assert_eq!(value, json!({"record": {"a": 1}, "map": {}, "list": []}));
    let found = record.complete(&mut json!({"record": ["b"], "map": {}, "list": []}));
    assert_eq!(fields(&found), json!({"record": ["unknown field"]}));
    assert_eq!(message(&found), "schema violation (record.1: unknown field)");
}

#[test]
fn sets_lose_what_is_there_twice() {
    let record = Record::new().field("x", Field::set_of(Field::any().required()));
    let once: Vec<Value> = (0..20).map(Value::from).collect();
    for (given, expected) in [
        (json!(["a", "b", "a"]), json!(["a", "b"])),
        (json!([1, "1", 1.0, true, true]), json!([1, "1", true])),
        (json!([{"a": 1}, {"a": 1}]), json!([{"a": 1}, {"a": 1}])),
        (json!(once.iter().chain(&once).collect::<Vec<_>>()), json!(once)),
    ] {
        let mut value = json!({ "x": given });
        record.complete(&mut value);
        assert_eq!(value["x"], expected);
    }
}

#[test]
fn foreign_keys_name_one_entity() {
    let id = "0dc6f45b-8f8d-40d2-a504-473544ee190b";
    for (value, expected) in [
        (json!({ "id": id }), Value::Null),
        (json!({"name": "a"}), Value::Null),
        (json!("a"), Value::Null),
        (json!({"id": "a"}), json!({"id": "expected a valid UUID"})),
        (json!({"id": null}), json!({"id": "required field missing"})),
        (json!({}), json!({"id": "missing primary key"})),
        (json!({"name": 1}), json!({"id": "missing primary key"})),
        (json!(1), json!({"id": "missing primary key"})),
    ] {
        let found = told(Field::foreign_key("services"), value.clone());
        assert_eq!(found, expected, "{value}");
        let parsed = serde_json::from_value::<towergate_schema::Reference>(value.clone());
        assert_eq!(parsed.is_ok(), expected.is_null(), "{value}");
    }
}

#[test]
fn secrets_stand_for_values_in_referenceable_text_alone() {
    let secret = json!("{vault://env/port}");
    let field = Field::string().one_of(["a"]);
    assert_eq!(told(field.clone().referenceable(), secret.clone()), Value::Null);
    assert_eq!(told(field, secret), json!("expected one of: a"));
}
