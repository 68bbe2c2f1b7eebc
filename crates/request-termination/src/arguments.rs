//! Arguments written as `a=1&b=2`: a query string, or a form's body.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Whether there is an argument of this name, with a value or without.
pub(crate) fn has(arguments: &str, name: &str) -> bool {
    pairs(arguments).any(|(key, _)| key == name)
}

/// The arguments as Kong tells them: a text, `true` without a value, a list of several of one name.
pub(crate) fn object(arguments: &str) -> Value {
    let mut object = Map::new();
    for (key, value) in pairs(arguments) {
        let value = value.map_or(Value::Bool(true), |text| Value::String(text.into_owned()));
        add(&mut object, key.into_owned(), value);
    }
    Value::Object(object)
}

/// Adds a value; several of one name become a list.
pub(crate) fn add(object: &mut Map<String, Value>, name: String, value: Value) {
    match object.get_mut(&name) {
        None => drop(object.insert(name, value)),
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

fn pairs(arguments: &str) -> impl Iterator<Item = (Cow<'_, str>, Option<Cow<'_, str>>)> {
    let pair = |segment| match str::split_once(segment, '=') {
        Some((key, value)) => (decode(key), Some(decode(value))),
        None => (decode(segment), None),
    };
    arguments.split('&').filter(|segment| !segment.is_empty()).map(pair)
}

/// `+` is a space, `%41` is `A`; a bad `%` stands for itself.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '%']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_told_as_kong_tells_them() {
        let cases = [
            ("", json!({})),
            ("hello=there", json!({"hello": "there"})),
            ("a=1&a=2&a&b", json!({"a": ["1", "2", true], "b": true})),
            ("a%20b=c+d&e=", json!({"a b": "c d", "e": ""})),
            ("x=%zz&&y=%ff", json!({"x": "%zz", "y": "\u{fffd}"})),
        ];
        for (written, expected) in cases {
            assert_eq!(object(written), expected, "{written}");
        }
    }

    #[test]
    fn an_argument_is_there_with_or_without_a_value() {
        for (written, expected) in [("x", true), ("a=b&x=", true), ("%78=1", true), ("X=1", false), ("a=x", false)] {
            assert_eq!(has(written, "x"), expected, "{written}");
        }
    }
}
