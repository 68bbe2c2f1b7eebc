//! Forms: `config.minute=5&paths[]=/a&paths[2]=/b`.

use percent_encoding::percent_decode;
use serde_json::{Map, Value};

/// Deeper than this a name is taken as it is.
const DEEPEST: usize = 32;

/// Names and values of a form or a query. What is not UTF-8 is replaced.
pub(crate) fn pairs(text: &[u8]) -> Vec<(String, String)> {
    let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut half = || decoded(halves.next().unwrap_or_default());
            (half(), half())
        })
        .collect()
}

/// Whether a query switches a flag on: `?check_hash=1`.
pub(crate) fn is_asked(query: Option<&str>, flag: &str) -> bool {
    argument(query, flag).is_some_and(|value| matches!(value.as_str(), "1" | "true" | "on" | "yes"))
}

/// An argument of a query; of several the first.
pub(crate) fn argument(query: Option<&str>, wanted: &str) -> Option<String> {
    let mut pairs = pairs(query.unwrap_or_default().as_bytes()).into_iter();
    pairs.find(|(name, _)| name == wanted).map(|(_, value)| value)
}

fn decoded(text: &[u8]) -> String {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

/// One step of a name.
enum Step<'a> {
    Name(&'a str),
    /// `[2]`, counted from 1.
    At(usize),
    /// `[]`
    Next,
}

/// The fields that names with dots and brackets mean. A name that is there twice is a list.
pub(super) fn nested(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut root = Value::Object(Map::new());
    for (name, value) in pairs {
        put(&mut root, &steps(&name), Value::String(value));
    }
    match root {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn steps(name: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for part in name.split('.') {
        let (first, rest) = part.find('[').filter(|at| *at > 0).map_or((part, ""), |at| part.split_at(at));
        steps.push(Step::Name(first));
        for bracket in rest.split('[').skip(1) {
            let inside = bracket.trim_end_matches(']');
            steps.push(match (inside, inside.parse()) {
                ("", _) => Step::Next,
                (_, Ok(position)) => Step::At(position),
                (key, Err(_)) => Step::Name(key),
            });
        }
    }
    let is_plain = steps.len() > DEEPEST || name.split('.').any(str::is_empty);
    if is_plain { vec![Step::Name(name)] } else { steps }
}

fn put(place: &mut Value, steps: &[Step<'_>], value: Value) {
    let Some((first, rest)) = steps.split_first() else {
        return merge(place, value);
    };
    let inner = match first {
        Step::Name(name) => {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let Value::Object(fields) = place else { return };
            fields.entry(*name).or_insert(Value::Null)
        }
        Step::At(_) | Step::Next => {
            if !place.is_array() {
                let before = std::mem::take(place);
                *place = Value::Array(if before.is_null() { Vec::new() } else { vec![before] });
            }
            let Value::Array(items) = place else { return };
            let position = match first {
                Step::At(position) => position.saturating_sub(1).min(items.len()),
                _ => items.len(),
            };
            if position == items.len() {
                items.push(Value::Null);
            }
            match items.get_mut(position) {
                Some(item) => item,
                None => return,
            }
        }
    };
    put(inner, rest, value);
}

/// The same name again makes a list.
fn merge(place: &mut Value, value: Value) {
    match place {
        Value::Null => *place = value,
        Value::Array(items) => items.push(value),
        _ => *place = Value::Array(vec![std::mem::take(place), value]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_lead_inside() {
        for (form, fields) in [
            ("name=a+b%21&x=", json!({"name": "a b!", "x": ""})),
            ("config.minute=5&config.redis.host=h", json!({"config": {"minute": "5", "redis": {"host": "h"}}})),
            ("paths[]=/a&paths[]=/b", json!({"paths": ["/a", "/b"]})),
            ("paths%5B%5D=/a&paths%5b%5d=/b", json!({"paths": ["/a", "/b"]})),
            ("paths[1]=/a&paths[2]=/b", json!({"paths": ["/a", "/b"]})),
            ("tags=a&tags=b", json!({"tags": ["a", "b"]})),
            ("headers.x-a[]=1&headers.x-a[]=2", json!({"headers": {"x-a": ["1", "2"]}})),
            ("headers[x-a][1]=1", json!({"headers": {"x-a": ["1"]}})),
            ("sources[1].ip=1.1.1.1&sources[1].port=80", json!({"sources": [{"ip": "1.1.1.1", "port": "80"}]})),
            ("a[99999999999]=x", json!({"a": ["x"]})),
            ("a=1&a.b=2", json!({"a": {"b": "2"}})),
            ("&&=x", json!({"": "x"})),
            (".a=1&a..b=2&a.=3", json!({".a": "1", "a..b": "2", "a.": "3"})),
        ] {
            assert_eq!(Value::Object(nested(pairs(form.as_bytes()))), fields, "{form}");
        }
    }

    #[test]
    fn a_name_cannot_be_too_deep() {
        let name = "a.".repeat(100_000) + "b";
        let fields = nested(vec![(name.clone(), "x".into())]);
        assert_eq!(fields.get(&name), Some(&json!("x")));
    }
}
