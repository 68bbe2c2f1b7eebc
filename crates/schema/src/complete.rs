//! Walking a value along its schema: defaults in, problems out.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::{
    field::{Bounds, Field, Kind},
    foreign, lua,
    path::Trail,
    problem::Problem,
    record::Record,
    rule::{RANK_LEN_MIN, Rule},
    vault::is_reference,
};

pub(crate) const REQUIRED: &str = "required field missing";
const UNKNOWN: &str = "unknown field";

/// Completes and checks a record.
pub(crate) fn record(record: &Record, value: &mut Value, trail: Trail<'_>, problems: &mut Vec<Problem>) {
    let Some(map) = as_map(value) else {
        return not_a_record(value, trail, problems);
    };
    let before = problems.len();
    for shorthand in record.shorthands() {
        shorthand.apply(map, trail, problems);
    }
    let mut known = 0;
    for (name, field) in record.fields() {
        known += usize::from(named(field, name, map, trail, problems));
    }
    if map.len() > known {
        unknown(record, map, trail, problems);
    }
    for check in record.checks() {
        check.run(record, map, trail, before, problems);
    }
}

/// Lua has one kind of table, so Kong takes an empty array for an empty record.
fn as_map(value: &mut Value) -> Option<&mut Map<String, Value>> {
    if value.as_array().is_some_and(Vec::is_empty) {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

fn as_array(value: &mut Value) -> Option<&mut Vec<Value>> {
    if value.as_object().is_some_and(Map::is_empty) {
        *value = Value::Array(Vec::new());
    }
    value.as_array_mut()
}

fn not_a_record(value: &Value, trail: Trail<'_>, problems: &mut Vec<Problem>) {
    match value {
        // to Kong the positions of a list are names of fields
        Value::Array(items) => {
            for position in 0..items.len() {
                problems.push(Problem::new(trail.index(position).path(), UNKNOWN));
            }
        }
        _ if trail.depth() == 0 => problems.push(Problem::entity("expected a record")),
        _ => problems.push(Problem::new(trail.path(), "expected a record")),
    }
}

/// Completes one field of a record; whether it is there afterwards.
fn named(
    field: &Field,
    name: &str,
    map: &mut Map<String, Value>,
    trail: Trail<'_>,
    problems: &mut Vec<Problem>,
) -> bool {
    let trail = trail.key(name);
    if let Some(present) = map.get_mut(name) {
        if present.is_null()
            && !field.nullable
            && let Some(filled) = absent(field)
        {
            *present = filled;
        }
        value(field, present, trail, problems);
        return true;
    }
    match absent(field) {
        Some(mut filled) => {
            value(field, &mut filled, trail, problems);
            map.insert(name.to_owned(), filled);
            true
        }
        None => {
            problems.push(Problem::new(trail.path(), REQUIRED));
            false
        }
    }
}

/// What stands for a value that is not given.
fn absent(field: &Field) -> Option<Value> {
    match (&field.default, &field.kind) {
        (Some(default), _) => Some(default.clone()),
        (None, _) if !field.required || field.auto => Some(Value::Null),
        (None, Kind::Record(_)) => Some(Value::Object(Map::new())),
        (None, _) => None,
    }
}

fn unknown(record: &Record, map: &Map<String, Value>, trail: Trail<'_>, problems: &mut Vec<Problem>) {
    for name in map.keys() {
        // a shorthand is still here only if it has a problem of its own
        let is_known = record.named(name).is_some() || record.shorthands().iter().any(|s| s.name == *name);
        if !is_known {
            problems.push(Problem::new(trail.key(name).path(), UNKNOWN));
        }
    }
}

/// Completes and checks a value of a field.
pub(crate) fn value(field: &Field, value: &mut Value, trail: Trail<'_>, problems: &mut Vec<Problem>) {
    if value.is_null() {
        if let Some(message) = null_problem(field) {
            problems.push(Problem::new(trail.path(), message));
        }
        return;
    }
    if field.rules.iter().any(|rule| matches!(rule, Rule::Eq(Value::Null))) {
        let message = field.message.clone().unwrap_or_else(|| "value must be null".to_owned());
        problems.push(Problem::new(trail.path(), message));
        return;
    }
    let before = problems.len();
    let checked = typed(field, value, trail, problems);
    if checked == Typed::Reference || problems.len() > before {
        return;
    }
    if let Some(message) = broken_rule(field, value) {
        problems.push(Problem::new(trail.path(), message));
    }
}

fn null_problem(field: &Field) -> Option<String> {
    for rule in &field.rules {
        match rule {
            Rule::Ne(Value::Null) => {
                return Some(field.message.clone().unwrap_or_else(|| "value must not be null".to_owned()));
            }
            Rule::Eq(wanted) if !wanted.is_null() => {
                return Some(format!("value must be {}", lua::text(wanted)));
            }
            _ => {}
        }
    }
    (field.required && !field.auto).then(|| REQUIRED.to_owned())
}

/// The text of the first rule that the value breaks.
fn broken_rule(field: &Field, value: &Value) -> Option<String> {
    let is_empty_text = matches!(field.kind, Kind::String)
        && value.as_str().is_some_and(str::is_empty)
        && !field.rules.iter().any(|rule| matches!(rule, Rule::LenMin(_)));
    let (early, late) = field.rules.split_at(field.rules.partition_point(|rule| rule.rank() <= RANK_LEN_MIN));
    let length = if is_empty_text { Rule::LenMin(1).check(value) } else { Ok(()) };
    let broken = early
        .iter()
        .try_for_each(|rule| rule.check(value))
        .and(length)
        .and_then(|()| late.iter().try_for_each(|rule| rule.check(value)));
    broken.err().map(|text| field.message.clone().unwrap_or(text))
}

#[derive(PartialEq, Eq)]
enum Typed {
    /// The rules apply.
    Checked,
    /// A reference to a secret: the rules do not apply.
    Reference,
}

/// Checks the type and what lies inside.
fn typed(field: &Field, value: &mut Value, trail: Trail<'_>, problems: &mut Vec<Problem>) -> Typed {
    let expected = match &field.kind {
        Kind::Any => return Typed::Checked,
        Kind::String => match value.as_str() {
            Some(text) if field.referenceable && is_reference(text) => return Typed::Reference,
            Some(_) => return Typed::Checked,
            None => "expected a string",
        },
        Kind::Boolean if value.is_boolean() => return Typed::Checked,
        Kind::Boolean => "expected a boolean",
        Kind::Number if value.is_number() => return Typed::Checked,
        Kind::Number => "expected a number",
        Kind::Integer(bounds) => match integer(value, *bounds, field) {
            Ok(()) => return Typed::Checked,
            Err(message) => return wrong(message, trail, problems),
        },
        Kind::Array(element) => match as_array(value) {
            Some(items) => return elements(element, items, trail, problems),
            None => "expected an array",
        },
        Kind::Set(element) => match as_array(value) {
            Some(items) => {
                remove_duplicates(items);
                return elements(element, items, trail, problems);
            }
            None => "expected a set",
        },
        Kind::Map(key, element) => match as_map(value) {
            Some(map) => return entries(key, element, map, trail, problems),
            None => "expected a map",
        },
        Kind::Record(inner) => {
            record(inner, value, trail, problems);
            return Typed::Checked;
        }
        Kind::Foreign(_) => {
            foreign::check(value, trail, problems);
            return Typed::Checked;
        }
    };
    wrong(expected.to_owned(), trail, problems)
}

fn wrong(message: String, trail: Trail<'_>, problems: &mut Vec<Problem>) -> Typed {
    problems.push(Problem::new(trail.path(), message));
    Typed::Checked
}

/// Takes `1.0` for 1, and refuses what the Rust type cannot hold, in the words of the field's own bounds if it has any.
fn integer(value: &mut Value, bounds: Bounds, field: &Field) -> Result<(), String> {
    let not_whole = || "expected an integer".to_owned();
    let number = value.as_number().ok_or_else(not_whole)?;
    let whole = match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(whole), ..) => i128::from(whole),
        (None, Some(whole), _) => i128::from(whole),
        // the cast saturates; nothing near its ends is within any bounds
        (None, None, Some(float)) if float.fract() == 0.0 => float as i128,
        _ => return Err(not_whole()),
    };
    if whole < bounds.min || whole > bounds.max {
        broken_rule(field, value).map_or(Ok(()), Err)?;
        return Err(format!("value should be between {} and {}", bounds.min, bounds.max));
    }
    if number.is_f64() {
        *value = i64::try_from(whole)
            .map(Value::from)
            .or_else(|_| u64::try_from(whole).map(Value::from))
            .map_err(|_| not_whole())?;
    }
    Ok(())
}

fn elements(element: &Field, items: &mut [Value], trail: Trail<'_>, problems: &mut Vec<Problem>) -> Typed {
    for (position, item) in items.iter_mut().enumerate() {
        let trail = trail.index(position);
        inner(element, item, trail, problems);
    }
    Typed::Checked
}

fn entries(
    key: &Field,
    element: &Field,
    map: &mut Map<String, Value>,
    trail: Trail<'_>,
    problems: &mut Vec<Problem>,
) -> Typed {
    for (name, item) in map.iter_mut() {
        let trail = trail.entry(name);
        value(key, &mut Value::String(name.clone()), trail, problems);
        inner(element, item, trail, problems);
    }
    Typed::Checked
}

/// Elements and entries are always required, whatever their field says.
fn inner(element: &Field, item: &mut Value, trail: Trail<'_>, problems: &mut Vec<Problem>) {
    if item.is_null() && !matches!(element.kind, Kind::Any) {
        let message = null_problem(element).unwrap_or_else(|| REQUIRED.to_owned());
        problems.push(Problem::new(trail.path(), message));
    } else {
        value(element, item, trail, problems);
    }
}

/// Above this many elements a set is searched by hash.
const FEW: usize = 16;

/// Removes what is there twice. Like Kong, only among plain values: two equal records stay.
fn remove_duplicates(items: &mut Vec<Value>) {
    if items.len() > FEW {
        let mut seen = HashSet::with_capacity(items.len());
        items.retain(|item| is_nested(item) || seen.insert(lua::text(item) + kind_mark(item)));
        return;
    }
    let mut position = 1;
    while position < items.len() {
        let (before, rest) = items.split_at(position);
        let is_double = rest.first().is_some_and(|item| !is_nested(item) && before.iter().any(|b| lua::same(b, item)));
        if is_double {
            items.remove(position);
        } else {
            position += 1;
        }
    }
}

fn is_nested(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

/// Tells `"1"` from `1`.
fn kind_mark(value: &Value) -> &'static str {
    if value.is_string() { "s" } else { "" }
}
