//! Kong's `message` of an invalid configuration holds its problems printed as a Lua table.

use std::fmt::Write as _;

use serde_json::Value;

/// `value` as Penlight's `pretty.write(value, "")` prints it: on one line, without spaces.
pub(crate) fn table(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => quote(text, out),
        Value::Array(items) => list(items, out),
        Value::Object(fields) => {
            out.push('{');
            let mut names: Vec<_> = fields.iter().collect();
            names.sort_by_key(|(name, _)| *name);
            for (position, (name, value)) in names.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                key(name, out);
                write(value, out);
            }
            out.push('}');
        }
        plain => {
            let _ = write!(out, "{plain}");
        }
    }
}

/// Elements up to the first gap stand by themselves, later ones with their position.
fn list(items: &[Value], out: &mut String) {
    out.push('{');
    let mut gap = false;
    let mut first = true;
    for (position, item) in items.iter().enumerate() {
        if item.is_null() {
            gap = true;
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        if gap {
            let _ = write!(out, "[{}]=", position.saturating_add(1));
        }
        write(item, out);
    }
    out.push('}');
}

fn key(name: &str, out: &mut String) {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain {
        let _ = write!(out, "{name}=");
    } else {
        out.push('[');
        quote(name, out);
        out.push_str("]=");
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\\n"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\000"),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::table;

    #[test]
    fn problems_print_as_a_lua_table() {
        let fields =
            json!({"services": [null, {"host": "required field missing", "@entity": ["no \"x\""]}], "a": [["m"]]});
        assert_eq!(
            table(&fields),
            r#"{a={{"m"}},services={[2]={["@entity"]={"no \"x\""},host="required field missing"}}}"#
        );
    }
}
