//! JSON values written as YAML that reads back as the same values, by the rules of YAML 1.1 too.

use std::fmt::Write as _;

use serde_json::Value;

use crate::document::reads_as_string;

/// `value` as a YAML document in block style.
pub(crate) fn dump(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => write(value, 0, &mut out),
        Value::Array(items) if !items.is_empty() => write(value, 0, &mut out),
        plain => {
            scalar(plain, &mut out);
            out.push('\n');
        }
    }
    out
}

fn write(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(fields) => {
            for (position, (name, value)) in fields.iter().enumerate() {
                // The first field of a list's element stands behind its dash.
                if position > 0 || !out.ends_with("- ") {
                    pad(indent, out);
                }
                text(name, out);
                out.push(':');
                below(value, indent, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                pad(indent, out);
                out.push_str("- ");
                match item {
                    Value::Object(fields) if !fields.is_empty() => write(item, indent.saturating_add(2), out),
                    Value::Array(items) if !items.is_empty() => {
                        out.pop();
                        out.push('\n');
                        write(item, indent.saturating_add(2), out);
                    }
                    plain => {
                        scalar(plain, out);
                        out.push('\n');
                    }
                }
            }
        }
        plain => scalar(plain, out),
    }
}

fn below(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.push('\n');
            write(value, indent.saturating_add(2), out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write(value, indent, out);
        }
        plain => {
            out.push(' ');
            scalar(plain, out);
            out.push('\n');
        }
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(value: &Value, out: &mut String) {
    match value {
        Value::String(string) => text(string, out),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
        plain => {
            let _ = write!(out, "{plain}");
        }
    }
}

/// Plain where nobody could read it as something else, else in double quotes as JSON has them.
fn text(string: &str, out: &mut String) {
    let safe = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    let starts_safe = string.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '_');
    if starts_safe && string.chars().all(safe) && reads_as_string(string) {
        out.push_str(string);
    } else {
        out.push_str(&Value::from(string).to_string());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::dump;
    use crate::document::{Limits, parse};
    use crate::source::Source;

    #[test]
    fn yaml_is_written_as_people_write_it() {
        let value = json!({
            "_format_version": "3.0",
            "services": [{"name": "a", "tags": ["x", "yes"], "port": 80, "inner": {"list": [], "map": {}}}],
            "nested": [[1], []],
        });
        assert_eq!(
            dump(&value),
            "_format_version: \"3.0\"\nservices:\n- name: a\n  tags:\n  - x\n  - \"yes\"\n  port: 80\n  inner:\n    list: []\n    \
             map: {}\nnested:\n-\n  - 1\n- []\n"
        );
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|b| json!(b)),
            any::<i32>().prop_map(|n| json!(n)),
            "[ -~äé\n\t]{0,12}|yes|0755|null|1:30".prop_map(|s| json!(s)),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
                prop::collection::btree_map("[a-z<0-9: -]{0,6}", inner, 0..4).prop_map(|map| {
                    serde_json::Value::Object(map.into_iter().filter(|(k, _)| k != "<<").collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in values()) {
            let text = dump(&value);
            let back = parse(&Source::new("x.yml", text.clone()), &Limits::default());
            prop_assert_eq!(back.map(|node| node.to_json()), Ok(value), "{}", text);
        }
    }
}
