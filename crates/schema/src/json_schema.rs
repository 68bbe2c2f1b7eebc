//! Schemas as JSON Schema (draft 2020-12), for editors.

use serde_json::{Map, Value, json};

use crate::{
    describe::number,
    field::{Field, Kind},
    record::Record,
    rule::Rule,
};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

impl Record {
    /// A JSON Schema (draft 2020-12) of what may be written: editors complete and check configuration files with it.
    ///
    /// It accepts what [`Record::complete`] accepts (but for an empty list where a record is meant), and sees less: checks
    /// between fields and checks written in Rust cannot be told in it.
    #[must_use]
    pub fn json_schema(&self) -> Value {
        let mut out = Map::from_iter([("$schema".to_owned(), Value::from(DRAFT))]);
        out.extend(record(self));
        Value::Object(out)
    }
}

fn record(record: &Record) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, field) in record.fields() {
        properties.insert(name.to_owned(), described(field));
        let is_made = field.default.is_some() || field.auto || matches!(field.kind, Kind::Record(_));
        // with shorthands around, a field may be given under another name
        if field.required && !is_made && record.shorthands().is_empty() {
            required.push(Value::from(name));
        }
    }
    for shorthand in record.shorthands() {
        let mut out = schema(&shorthand.field);
        out.insert("deprecated".to_owned(), Value::Bool(true));
        properties.insert(shorthand.name.clone(), Value::Object(out));
    }
    let mut out = Map::new();
    if let Some(text) = record.description() {
        out.insert("description".to_owned(), Value::from(text));
    }
    out.insert("type".to_owned(), Value::from("object"));
    out.insert("properties".to_owned(), Value::Object(properties));
    out.insert("additionalProperties".to_owned(), Value::Bool(false));
    if !required.is_empty() {
        out.insert("required".to_owned(), Value::Array(required));
    }
    out
}

/// A field with what is said about it.
fn described(field: &Field) -> Value {
    let mut out = schema(field);
    if let Some(text) = &field.description {
        out.insert("description".to_owned(), Value::from(text.as_str()));
    }
    if let Some(default) = &field.default {
        out.insert("default".to_owned(), default.clone());
    }
    if field.deprecation.is_some() {
        out.insert("deprecated".to_owned(), Value::Bool(true));
    }
    Value::Object(out)
}

/// The types and rules; null where it is accepted, references where secrets are.
fn schema(field: &Field) -> Map<String, Value> {
    let mut out = kind(field);
    rules(field, &mut out);
    if field.referenceable && out.len() > 1 {
        out = alternatives(out, json!({"type": "string", "pattern": "^\\{vault://.+\\}$"}));
    }
    let takes_null = field.nullable || field.default.is_some() || !field.required;
    if takes_null && !matches!(field.kind, Kind::Any) {
        out = alternatives(out, json!({"type": "null"}));
    }
    out
}

fn alternatives(mut one: Map<String, Value>, other: Value) -> Map<String, Value> {
    if let Some(Value::Array(present)) = one.get_mut("anyOf") {
        present.push(other);
        return one;
    }
    Map::from_iter([("anyOf".to_owned(), json!([one, other]))])
}

fn kind(field: &Field) -> Map<String, Value> {
    let out = match &field.kind {
        Kind::String => {
            let has_length = field.rules.iter().any(|rule| matches!(rule, Rule::LenMin(_)));
            if has_length { json!({"type": "string"}) } else { json!({"type": "string", "minLength": 1}) }
        }
        Kind::Number => json!({"type": "number"}),
        Kind::Integer(_) => json!({"type": "integer"}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Array(element) | Kind::Set(element) => {
            json!({"type": "array", "items": element_schema(element)})
        }
        Kind::Map(_, value) => {
            json!({"type": "object", "additionalProperties": element_schema(value)})
        }
        Kind::Record(inner) => return record(inner),
        Kind::Foreign(_) => json!({"type": ["string", "object"]}),
        Kind::Any => json!({}),
    };
    match out {
        Value::Object(out) => out,
        _ => Map::new(),
    }
}

/// Elements are never null.
fn element_schema(element: &Field) -> Value {
    Value::Object(schema(&Field { nullable: false, required: true, default: None, ..element.clone() }))
}

fn rules(field: &Field, out: &mut Map<String, Value>) {
    let length = match field.kind {
        Kind::Array(_) | Kind::Set(_) => ("minItems", "maxItems"),
        Kind::Map(..) => ("minProperties", "maxProperties"),
        // Kong counts bytes, JSON Schema characters: a maximum of characters is never stricter, a minimum might be
        _ => ("minLength", "maxLength"),
    };
    let counts_bytes = matches!(field.kind, Kind::String);
    let mut patterns = Vec::new();
    for rule in &field.rules {
        let (name, value) = match rule {
            Rule::Eq(value) => ("const", value.clone()),
            Rule::Ne(value) => ("not", json!({ "const": value })),
            Rule::NotOneOf(values) => ("not", json!({ "enum": values })),
            Rule::OneOf(values) => ("enum", Value::from(values.as_slice())),
            Rule::Gt(limit) => ("exclusiveMinimum", number(*limit)),
            Rule::Timestamp => ("exclusiveMinimum", json!(0)),
            Rule::Uuid => ("format", Value::from("uuid")),
            Rule::IsRegex => ("format", Value::from("regex")),
            Rule::Between(low, high) => {
                out.insert("minimum".to_owned(), number(*low));
                ("maximum", number(*high))
            }
            Rule::LenMin(n) => (length.0, json!(if counts_bytes { (*n).min(1) } else { *n })),
            Rule::LenEq(n) | Rule::LenMax(n) => (length.1, json!(n)),
            Rule::StartsWith(prefix) => {
                patterns.push(format!("^{}", regex::escape(prefix)));
                continue;
            }
            Rule::Match(pattern) => {
                patterns.push(pattern.regex.as_str().to_owned());
                continue;
            }
            Rule::Contains(value) => ("contains", json!({ "const": value })),
            Rule::NotMatch(_) | Rule::Custom(_) | Rule::ExclusiveSubsets(_) => continue,
        };
        out.insert(name.to_owned(), value);
    }
    match patterns.as_slice() {
        [] => {}
        [only] => drop(out.insert("pattern".to_owned(), Value::from(only.as_str()))),
        _ => {
            let all: Vec<_> = patterns.iter().map(|pattern| json!({ "pattern": pattern })).collect();
            out.insert("allOf".to_owned(), Value::from(all));
        }
    }
}
