//! Paths of routes from before Kong 3.0, when any path with unusual characters was a regex.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Brings the paths of a route to the form of 3.0: regexes begin with `~`.
pub(super) fn paths(route: &mut serde_json::Map<String, Value>) {
    let Some(paths) = route.get_mut("paths").and_then(Value::as_array_mut) else {
        return;
    };
    for path in paths {
        if let Value::String(text) = path {
            *text = migrated(text);
        }
    }
}

fn migrated(path: &str) -> String {
    // The rule of before: only these characters, and it is a plain prefix.
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_~/%".contains(&b));
    if plain { decoded(path, |c| c.to_string()) } else { format!("~{}", decoded(path, escaped)) }
}

/// A decoded character inside a regex stands for itself.
fn escaped(c: char) -> String {
    if ".^-{}\\|".contains(c) { format!("\\{c}") } else { c.to_string() }
}

/// Decodes what does not need to be encoded; since 3.0 paths are compared in that form.
fn decoded(path: &str, show: fn(char) -> String) -> String {
    const RESERVED: &str = "!#$%&'()*+,/:;=?@[]";
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(percent) = rest.find('%') {
        let (before, from) = rest.split_at(percent);
        out.push_str(before);
        let triplet = from.get(..3).filter(|t| t.bytes().skip(1).all(|b| b.is_ascii_hexdigit()));
        let Some(triplet) = triplet else {
            out.push('%');
            rest = from.get(1..).unwrap_or_default();
            continue;
        };
        match percent_decode_str(triplet).decode_utf8().ok().and_then(|text| text.chars().next()) {
            Some(c) if c.is_ascii() && !RESERVED.contains(c) && !c.is_control() && c != ' ' => out.push_str(&show(c)),
            _ => out.push_str(&triplet.to_ascii_uppercase()),
        }
        rest = from.get(3..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::migrated;

    #[test]
    fn old_regexes_get_their_mark() {
        for (before, since) in [
            ("/api/v1", "/api/v1"),
            ("/a.b-c_d~e", "/a.b-c_d~e"),
            ("/users/\\d+$", "~/users/\\d+$"),
            ("/a/(?<id>x)", "~/a/(?<id>x)"),
            ("/%61", "/a"),
            ("/%2f", "/%2F"),
            ("/x%2e(y)", "~/x\\.(y)"),
            ("/%zz", "/%zz"),
        ] {
            assert_eq!(migrated(before), since, "{before}");
        }
    }
}
