//! Schemas as data: the shape of Kong's `GET /schemas/…`.

use serde_json::{Map, Number, Value, json};

use crate::{
    check::{Check, Condition},
    field::{Deprecation, Field, Kind},
    record::Record,
    rule::{Pattern, Rule},
    shorthand::{Shorthand, Target},
};

impl Record {
    /// The answer to `GET /schemas/…`: `{"fields": [{"name": {…}}, …], "entity_checks": […]}`.
    ///
    /// What a function checks is not shown, as in Kong. Patterns are shown as Lua patterns where one was given.
    #[must_use]
    pub fn describe(&self) -> Value {
        let mut out = Map::new();
        out.insert("fields".to_owned(), fields(self));
        out.insert("entity_checks".to_owned(), self.checks().iter().map(check).collect());
        shorthands(self, &mut out);
        Value::Object(out)
    }
}

fn fields(record: &Record) -> Value {
    record.fields().map(|(name, field)| json!({ name: describe(field) })).collect()
}

fn shorthands(record: &Record, out: &mut Map<String, Value>) {
    if !record.shorthands().is_empty() {
        out.insert("shorthand_fields".to_owned(), record.shorthands().iter().map(shorthand).collect());
    }
}

fn shorthand(shorthand: &Shorthand) -> Value {
    let mut out = field(&shorthand.field);
    if let Target::Moved(path) = &shorthand.target {
        let deprecation = shorthand.field.deprecation.clone().unwrap_or_default();
        let mut deprecation = deprecated(&deprecation);
        deprecation.insert("replaced_with".to_owned(), json!([{"path": path.split('.').collect::<Vec<_>>()}]));
        out.insert("deprecation".to_owned(), Value::Object(deprecation));
    }
    json!({ shorthand.name.as_str(): out })
}

fn describe(described: &Field) -> Value {
    Value::Object(field(described))
}

fn field(field: &Field) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    put("type", Value::from(field.kind.name()));
    if let Some(text) = &field.description {
        put("description", Value::from(text.as_str()));
    }
    for (name, is_set) in [
        ("required", field.required),
        ("unique", field.unique),
        ("auto", field.auto),
        ("immutable", field.immutable),
        ("referenceable", field.referenceable),
        ("encrypted", field.encrypted),
    ] {
        if is_set {
            put(name, Value::Bool(true));
        }
    }
    if let Some(default) = &field.default {
        put("default", default.clone());
    }
    if let Some(text) = &field.message {
        put("err", Value::from(text.as_str()));
    }
    if let Some(deprecation) = &field.deprecation {
        put("deprecation", Value::Object(deprecated(deprecation)));
    }
    inside(&field.kind, &mut out);
    rules(&field.rules, &mut out);
    out
}

fn inside(kind: &Kind, out: &mut Map<String, Value>) {
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    match kind {
        Kind::Array(element) | Kind::Set(element) => put("elements", describe(element)),
        Kind::Map(key, value) => {
            put("keys", describe(key));
            put("values", describe(value));
        }
        Kind::Foreign(collection) => put("reference", Value::from(*collection)),
        Kind::Record(record) => {
            put("fields", fields(record));
            if !record.checks().is_empty() {
                put("entity_checks", record.checks().iter().map(check).collect());
            }
            shorthands(record, out);
        }
        Kind::String | Kind::Number | Kind::Integer(_) | Kind::Boolean | Kind::Any => {}
    }
}

fn rules(rules: &[Rule], out: &mut Map<String, Value>) {
    for rule in rules {
        let (name, value) = match rule {
            Rule::Eq(value) => ("eq", value.clone()),
            Rule::Ne(value) => ("ne", value.clone()),
            Rule::NotOneOf(values) => ("not_one_of", Value::from(values.as_slice())),
            Rule::OneOf(values) => ("one_of", Value::from(values.as_slice())),
            Rule::Gt(limit) => ("gt", number(*limit)),
            Rule::Timestamp => ("timestamp", Value::Bool(true)),
            Rule::Uuid => ("uuid", Value::Bool(true)),
            Rule::IsRegex => ("is_regex", Value::Bool(true)),
            Rule::Between(low, high) => ("between", json!([number(*low), number(*high)])),
            Rule::LenEq(n) => ("len_eq", json!(n)),
            Rule::LenMin(n) => ("len_min", json!(n)),
            Rule::LenMax(n) => ("len_max", json!(n)),
            Rule::StartsWith(prefix) => ("starts_with", Value::from(prefix.as_str())),
            Rule::Match(pattern) if pattern.message.is_none() => ("match", Value::from(pattern.shown())),
            Rule::NotMatch(pattern) if pattern.message.is_none() => ("not_match", Value::from(pattern.shown())),
            Rule::Match(pattern) => {
                push(out, "match_all", pattern);
                continue;
            }
            Rule::NotMatch(pattern) => {
                push(out, "match_none", pattern);
                continue;
            }
            Rule::Contains(value) => ("contains", value.clone()),
            Rule::ExclusiveSubsets(subsets) => ("mutually_exclusive_subsets", json!(subsets)),
            // a function: there is nothing to show
            Rule::Custom(_) => continue,
        };
        out.insert(name.to_owned(), value);
    }
}

fn push(out: &mut Map<String, Value>, name: &str, pattern: &Pattern) {
    let entry = json!({"pattern": pattern.shown(), "err": pattern.message});
    if let Value::Array(list) = out.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
        list.push(entry);
    }
}

/// Whole numbers without a point, as Kong writes them.
pub(crate) fn number(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        Value::from(number as i64)
    } else {
        Number::from_f64(number).map_or(Value::Null, Value::Number)
    }
}

fn deprecated(deprecation: &Deprecation) -> Map<String, Value> {
    let mut out = Map::new();
    if !deprecation.message.is_empty() {
        out.insert("message".to_owned(), Value::from(deprecation.message.as_str()));
    }
    if let Some(version) = &deprecation.removal_in_version {
        out.insert("removal_in_version".to_owned(), Value::from(version.as_str()));
    }
    if let Some(default) = &deprecation.old_default {
        out.insert("old_default".to_owned(), default.clone());
    }
    out
}

fn check(check: &Check) -> Value {
    match check {
        Check::AtLeastOneOf(names) => json!({"at_least_one_of": names}),
        Check::OnlyOneOf(names) => json!({"only_one_of": names}),
        Check::Distinct(names) => json!({"distinct": names}),
        Check::MutuallyRequired(names) => json!({"mutually_required": names}),
        Check::MutuallyExclusive(names) => json!({"mutually_exclusive": names}),
        Check::MutuallyExclusiveSets(first, second) => {
            json!({"mutually_exclusive_sets": {"set1": first, "set2": second}})
        }
        Check::Conditional(check) => {
            let mut out = json!({
                "if_field": check.if_field,
                "if_match": condition(&check.if_match),
                "then_field": check.then_field,
                "then_match": condition(&check.then_match),
            });
            if let (Some(text), Some(out)) = (&check.then_err, out.as_object_mut()) {
                out.insert("then_err".to_owned(), Value::from(text.as_str()));
            }
            json!({ "conditional": out })
        }
        Check::ConditionalAtLeastOneOf(check) => {
            let mut out = json!({
                "if_field": check.if_field,
                "if_match": condition(&check.if_match),
                "then_at_least_one_of": check.then,
            });
            if let (Some(text), Some(out)) = (&check.then_err, out.as_object_mut()) {
                out.insert("then_err".to_owned(), Value::from(text.as_str()));
            }
            if let (Some((otherwise, names, text)), Some(out)) = (&check.otherwise, out.as_object_mut()) {
                out.insert("else_match".to_owned(), condition(otherwise));
                out.insert("else_then_at_least_one_of".to_owned(), json!(names));
                if let Some(text) = text {
                    out.insert("else_then_err".to_owned(), Value::from(text.as_str()));
                }
            }
            json!({ "conditional_at_least_one_of": out })
        }
        Check::Custom(custom) => json!({"custom_entity_check": {"field_sources": custom.fields}}),
    }
}

fn condition(condition: &Condition) -> Value {
    let mut out = Map::new();
    if condition.required {
        out.insert("required".to_owned(), Value::Bool(true));
    }
    rules(&condition.rules, &mut out);
    Value::Object(out)
}

impl Kind {
    /// The type's name in Kong.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer(_) => "integer",
            Self::Boolean => "boolean",
            Self::Array(_) => "array",
            Self::Set(_) => "set",
            Self::Map(..) => "map",
            Self::Record(_) => "record",
            Self::Foreign(_) => "foreign",
            Self::Any => "json",
        }
    }
}
