//! How Kong, being Lua, compares and prints values. Its error texts contain such values.

use serde_json::Value;

/// A value as Lua's `tostring` prints it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => number_text(float),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// A number as Lua prints it: whole numbers without a point.
pub(crate) fn number_text(number: f64) -> String {
    format!("{number}")
}

/// Lua's `==`: numbers are equal when they are the same number, however they were written.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| same(a, b)),
        _ => a == b,
    }
}

/// A list as Lua's `table.concat(list, ", ")` prints it.
pub(crate) fn list(values: &[Value]) -> String {
    values.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Names in quotes: `'a', 'b'`.
pub(crate) fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(|name| format!("'{}'", name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Kong's idea of *non-empty*: neither null nor `""` nor an empty array, set, map or record.
pub(crate) fn is_nonempty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(_) => true,
    }
}
