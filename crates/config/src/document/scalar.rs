//! What an unquoted YAML word means, by the rules of YAML 1.1 that Kong reads with.
//!
//! Kong's reader knows more than YAML 1.2: `yes`/`no`/`on`/`off` are booleans, `0755` is octal,
//! `1_000` is a thousand and `1:30` is ninety. Configurations in the field rely on the first two,
//! so all are read the same way. Anything in quotes stays a text and never comes here.

use super::Value;

/// The value of a plain scalar.
pub(super) fn plain(word: &str) -> Value {
    null(word)
        .or_else(|| integer(word).map(number))
        .or_else(|| decimal_fraction(word).map(number))
        .or_else(|| boolean(word).map(Value::Bool))
        .or_else(|| not_finite(word).map(Value::Float))
        .or_else(|| based(word).map(number))
        .or_else(|| sexagesimal(word).map(number))
        .unwrap_or_else(|| Value::String(word.into()))
}

/// The value of a scalar with an explicit tag (`!!str`, `!!int`…); `None` when the word does not
/// fit the tag.
pub(super) fn tagged(tag: &str, word: &str) -> Option<Value> {
    match (tag, plain(word)) {
        ("str", _) => Some(Value::String(word.into())),
        ("null", value @ Value::Null) => Some(value),
        ("bool", value @ Value::Bool(_)) => Some(value),
        ("int", value @ Value::Int(_)) => Some(value),
        ("float", value @ (Value::Int(_) | Value::Float(_))) => Some(value),
        ("null" | "bool" | "int" | "float", _) => None,
        (_, value) => Some(value),
    }
}

/// Whether `word`, written without quotes, would come back as the same text.
pub(crate) fn reads_as_string(word: &str) -> bool {
    matches!(plain(word), Value::String(_))
}

/// A number as the tree keeps it: whole numbers are `Int`, whatever they were written like.
pub(super) fn number(n: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: beyond it not every whole number exists
    if n.fract() == 0.0 && n.abs() <= EXACT {
        // Exact by the line above.
        return Value::Int(n as i64);
    }
    Value::Float(n)
}

fn null(word: &str) -> Option<Value> {
    matches!(word, "" | "~" | "null" | "Null" | "NULL").then_some(Value::Null)
}

fn boolean(word: &str) -> Option<bool> {
    match word {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn signed(word: &str) -> (f64, &str) {
    match word.as_bytes().first() {
        Some(b'-') => (-1.0, word.get(1..).unwrap_or_default()),
        Some(b'+') => (1.0, word.get(1..).unwrap_or_default()),
        _ => (1.0, word),
    }
}

/// `12`, `1_000`, and octal when it begins with a zero and has no 8 or 9.
fn integer(word: &str) -> Option<f64> {
    let (sign, rest) = signed(word);
    let digits = rest.trim_start_matches('_');
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return None;
    }
    let octal = digits.len() > 1 && digits.starts_with('0') && !digits.contains(['8', '9']);
    in_base(digits, if octal { 8 } else { 10 }).map(|n| sign * n)
}

/// `0xff` and `0b1010`.
fn based(word: &str) -> Option<f64> {
    let (sign, rest) = signed(word);
    let (digits, base) = rest
        .strip_prefix("0x")
        .map(|digits| (digits, 16))
        .or_else(|| rest.strip_prefix("0b").map(|digits| (digits, 2)))?;
    in_base(digits, base).map(|n| sign * n)
}

fn in_base(digits: &str, base: u32) -> Option<f64> {
    let mut seen = false;
    let mut total = 0.0;
    for c in digits.chars().filter(|c| *c != '_') {
        total = total * f64::from(base) + f64::from(c.to_digit(base)?);
        seen = true;
    }
    seen.then_some(total)
}

/// `1.5`, `.5`, `1e3`.
fn decimal_fraction(word: &str) -> Option<f64> {
    let number_like = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-' | b'_');
    if !word.bytes().all(number_like) || !word.contains(['.', 'e', 'E']) {
        return None;
    }
    word.replace('_', "").parse().ok()
}

fn not_finite(word: &str) -> Option<f64> {
    match word {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// `1:30:00` counts in sixties; the second part has at most two digits and is below 60.
fn sexagesimal(word: &str) -> Option<f64> {
    let (sign, rest) = signed(word);
    let (whole, fraction) = match rest.split_once('.') {
        Some((whole, digits)) => (whole, format!("0.{digits}").parse().ok()?),
        None => (rest, 0.0),
    };
    let mut parts = whole.split(':');
    let mut total = in_base(parts.next().filter(|p| !p.contains('_'))?, 10)?;
    let mut later = 0;
    for part in parts {
        let digits = part.bytes().all(|b| b.is_ascii_digit());
        if !digits || part.is_empty() || (later == 0 && !(part.len() <= 2 && part < "6" || part.len() == 1)) {
            return None;
        }
        total = total * 60.0 + in_base(part, 10)?;
        later += 1;
    }
    (later > 0).then_some(sign * (total + fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquoted_words_read_as_in_yaml_1_1() {
        let int = |n| Value::Int(n);
        let text = |s: &str| Value::String(s.into());
        for (word, expected) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("null", Value::Null),
            ("yes", Value::Bool(true)),
            ("No", Value::Bool(false)),
            ("ON", Value::Bool(true)),
            ("off", Value::Bool(false)),
            ("y", text("y")),
            ("0", int(0)),
            ("42", int(42)),
            ("-7", int(-7)),
            ("+7", int(7)),
            ("0755", int(0o755)),
            ("089", int(89)),
            ("1_000", int(1000)),
            ("0xff", int(255)),
            ("0b101", int(5)),
            ("3.0", int(3)),
            ("1.5", Value::Float(1.5)),
            ("1e3", int(1000)),
            (".5", Value::Float(0.5)),
            ("1:30", int(90)),
            ("1:75", text("1:75")),
            ("190:20:30", int(685_230)),
            ("127.0.0.1", text("127.0.0.1")),
            ("127.0.0.1:80", text("127.0.0.1:80")),
            ("localhost:80", text("localhost:80")),
            ("/api", text("/api")),
            ("e", text("e")),
            (".", text(".")),
            ("-", text("-")),
            ("_", text("_")),
            ("0x", text("0x")),
            ("1.2.3", text("1.2.3")),
        ] {
            assert_eq!(plain(word), expected, "{word:?}");
        }
    }

    #[test]
    fn a_tag_wins_over_the_look_of_a_word() {
        assert_eq!(tagged("str", "yes"), Some(Value::String("yes".into())));
        assert_eq!(tagged("int", "12"), Some(Value::Int(12)));
        assert_eq!(tagged("int", "twelve"), None);
    }
}
