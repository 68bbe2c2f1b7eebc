//! Conditions on headers.

use http::HeaderMap;
use regex_automata::{meta, util::syntax};

use crate::regex;

/// One header of a rule: it must be there with one of these values.
#[derive(Debug, Clone)]
pub(crate) struct HeaderCondition {
    /// Lower case, `-` for `_`.
    pub(crate) name: Box<str>,
    /// Lower case.
    pub(crate) values: Box<[Box<str>]>,
    regex: Option<meta::Regex>,
}

impl HeaderCondition {
    /// Reads one entry of `headers`; an error comes with its place in the rule.
    pub(crate) fn new(name: &str, values: &[String]) -> Result<Self, (String, String)> {
        check_name(name).map_err(|message| (format!("headers.{name}"), message))?;
        if values.is_empty() {
            return Err((
                format!("headers.{name}"),
                "has no values; give at least one, such as ~*. for any".to_owned(),
            ));
        }
        let (mut literals, mut patterns) = (Vec::new(), Vec::new());
        for (i, value) in values.iter().enumerate() {
            match value.strip_prefix("~*") {
                None => literals.push(value.to_lowercase().into()),
                Some(pattern) => {
                    // Kong lowers pattern and value both, which turns \D into \d. Not minding the
                    // letter case says the same and breaks no pattern.
                    let config = syntax::Config::new().case_insensitive(true).utf8(false);
                    let parsed =
                        regex::parse(pattern, config).map_err(|message| (format!("headers.{name}[{i}]"), message))?;
                    patterns.push(parsed);
                }
            }
        }
        let regex = if patterns.is_empty() {
            None
        } else {
            Some(regex::compile(&patterns, false).map_err(|message| (format!("headers.{name}"), message))?)
        };
        Ok(Self {
            name: folded(name.bytes()).map(char::from).collect::<String>().into(),
            values: literals.into(),
            regex,
        })
    }

    /// Whether every value that matches is known in advance.
    pub(crate) fn is_literal(&self) -> bool {
        self.regex.is_none()
    }

    pub(crate) fn matches(&self, headers: &HeaderMap) -> bool {
        // The map cannot be asked for a name with its separators folded; and there are few headers.
        headers.iter().any(|(name, value)| self.is_named(name.as_str()) && self.takes(value.as_bytes()))
    }

    fn is_named(&self, name: &str) -> bool {
        name.len() == self.name.len() && folded(name.bytes()).eq(self.name.bytes())
    }

    fn takes(&self, value: &[u8]) -> bool {
        self.values.iter().any(|wanted| wanted.as_bytes().eq_ignore_ascii_case(value))
            || self.regex.as_ref().is_some_and(|regex| regex.is_match(value))
    }
}

/// A header name as it is compared: lower case, `-` for `_`.
pub(crate) fn folded(name: impl Iterator<Item = u8>) -> impl Iterator<Item = u8> {
    name.map(|byte| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() })
}

fn check_name(name: &str) -> Result<(), String> {
    if name.eq_ignore_ascii_case("host") {
        return Err("cannot contain 'host' header, which must be specified in the 'hosts' attribute".to_owned());
    }
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return Err(format!("bad header name '{name}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn which_headers_match() {
        type Case = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)], bool);
        let cases: [Case; 14] = [
            ("X-Version", &["v1"], &[("x-version", "v1")], true),
            ("X-Version", &["v1"], &[("X-VERSION", "V1")], true),
            ("X-Version", &["V1"], &[("x_version", "v1")], true),
            ("x_version", &["v1"], &[("x-version", "v1")], true),
            ("X-Version", &["v1"], &[("x-version", "v10")], false),
            ("X-Version", &["v1"], &[("version", "v1")], false),
            ("X-Version", &["v1", "v2"], &[("x-version", "v2")], true),
            ("X-Version", &["v2"], &[("x-version", "v1"), ("x-version", "v2")], true),
            ("X-Version", &["~*^v[12]$"], &[("x-version", "V2")], true),
            ("X-Version", &["~*^V\\D$"], &[("x-version", "vx")], true),
            ("X-Version", &["~*^V\\D$"], &[("x-version", "v1")], false),
            ("X-Version", &["~*2"], &[("x-version", "v123")], true),
            ("X-Version", &["v1", "~*^w"], &[("x-version", "w")], true),
            ("X-Name", &["~*^caf."], &[("x-name", "caf\u{e9}")], true),
        ];
        for (name, values, lines, expected) in cases {
            let values: Vec<_> = values.iter().map(|value| (*value).to_owned()).collect();
            let condition = HeaderCondition::new(name, &values).unwrap();
            assert_eq!(condition.matches(&headers(lines)), expected, "{name} {values:?} {lines:?}");
        }
    }

    #[test]
    fn refused_headers() {
        for (name, values, place, hint) in [
            ("Host", vec!["a".to_owned()], "headers.Host", "'hosts' attribute"),
            ("a b", vec!["a".to_owned()], "headers.a b", "bad header name"),
            ("x-a", vec![], "headers.x-a", "at least one"),
            ("x-a", vec!["b".to_owned(), "~*(".to_owned()], "headers.x-a[1]", "not a valid regular expression"),
        ] {
            let (field, message) = HeaderCondition::new(name, &values).unwrap_err();
            assert_eq!(field, place);
            assert!(message.contains(hint), "{message}");
        }
    }
}
