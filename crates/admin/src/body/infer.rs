//! What texts of a form mean: the schema says where a number, a switch or a list is.

use serde_json::{Map, Value};
use towergate_schema::{Field, Kind, Record};

/// Gives the fields of a record the types its schema has. What does not fit stays a text, and is
/// refused with everything else that is wrong.
pub(super) fn record(record: &Record, fields: &mut Map<String, Value>) {
    let shorthands = record.shorthands().iter().map(|shorthand| (shorthand.name.as_str(), &shorthand.field));
    for (name, field) in record.fields().chain(shorthands) {
        if let Some(given) = fields.get_mut(name) {
            value(field, given);
        }
    }
}

fn value(field: &Field, given: &mut Value) {
    if given.as_str().is_some_and(str::is_empty) {
        *given = Value::Null;
        return;
    }
    match (&field.kind, &mut *given) {
        (Kind::Number | Kind::Integer(_), Value::String(text)) => {
            if let Some(number) = number(text) {
                *given = number;
            }
        }
        (Kind::Boolean, Value::String(text)) => match text.as_str() {
            "true" => *given = Value::Bool(true),
            "false" => *given = Value::Bool(false),
            _ => {}
        },
        (Kind::Array(element) | Kind::Set(element), given) => {
            if !given.is_array() {
                *given = Value::Array(vec![given.take()]);
            }
            given.as_array_mut().into_iter().flatten().for_each(|item| value(element, item));
        }
        (Kind::Map(_, element), Value::Object(entries)) => {
            entries.values_mut().for_each(|entry| value(element, entry));
        }
        (Kind::Record(inner), Value::Object(fields)) => record(inner, fields),
        (Kind::Foreign(_), Value::Object(fields)) => {
            let empty = |value: &&mut Value| value.as_str().is_some_and(str::is_empty);
            fields.values_mut().filter(empty).for_each(|value| *value = Value::Null);
        }
        _ => {}
    }
}

fn number(text: &str) -> Option<Value> {
    let whole = text.parse::<i64>().ok().map(Value::from);
    whole.or_else(|| serde_json::Number::from_f64(text.trim().parse().ok()?).map(Value::Number))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_become_what_the_schema_has() {
        let inner = Record::new().field("minute", Field::number().nullable()).field("on", Field::boolean().nullable());
        let schema = Record::new()
            .field("port", Field::integer().nullable())
            .field("name", Field::string().nullable())
            .field("paths", Field::array(Field::string()).nullable())
            .field("headers", Field::map(Field::string(), Field::array(Field::string())).nullable())
            .field("config", Field::record(inner))
            .field("service", Field::foreign_key("services").nullable());
        let mut given = json!({
            "port": "80", "name": "", "paths": "/a", "headers": {"a": "1"}, "config": {"minute": "1.5", "on": "true"},
            "service": {"id": ""}, "else": "7"
        });
        let fields = given.as_object_mut().expect("an object");
        record(&schema, fields);
        let expected = json!({
            "port": 80, "name": null, "paths": ["/a"], "headers": {"a": ["1"]}, "config": {"minute": 1.5, "on": true},
            "service": {"id": null}, "else": "7"
        });
        assert_eq!(given, expected);
    }

    #[test]
    fn what_does_not_fit_stays() {
        let schema = Record::new().field("port", Field::integer()).field("on", Field::boolean());
        let mut given = json!({"port": "x", "on": "yes"});
        record(&schema, given.as_object_mut().expect("an object"));
        assert_eq!(given, json!({"port": "x", "on": "yes"}));
    }
}
