//! Conditions on host names and TLS server names.

use std::{cmp::Ordering, net::Ipv6Addr};

use crate::host::{split_host, split_port};

/// The names of one rule: any of them will do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// By text, so that a rule with a thousand names costs ten comparisons.
    plain: Box<[NamePattern]>,
    wild: Box<[NamePattern]>,
}

impl Names {
    pub(crate) fn new(patterns: Vec<NamePattern>) -> Self {
        let (mut plain, wild): (Vec<_>, Vec<_>) =
            patterns.into_iter().partition(|pattern| pattern.kind == NameKind::Plain);
        plain.sort_by(|a, b| a.text.cmp(&b.text));
        Self { plain: plain.into(), wild: wild.into() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.wild.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &NamePattern> {
        self.plain.iter().chain(&self.wild)
    }

    /// Whether one of the patterns matches; `name` without a dot at its end.
    pub(crate) fn matches(&self, name: &str, port: u16) -> bool {
        let start = self.plain.partition_point(|pattern| compare(&pattern.text, name) == Ordering::Less);
        let same = self.plain.iter().skip(start).take_while(|pattern| pattern.text.eq_ignore_ascii_case(name));
        same.into_iter().any(|pattern| pattern.takes_port(port))
            || self.wild.iter().any(|pattern| pattern.matches(name, port))
    }
}

/// A name, or a wildcard on its first or last label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamePattern {
    pub(crate) kind: NameKind,
    /// Lower case: the whole name, or the fixed part with the dot next to the star.
    pub(crate) text: Box<str>,
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum NameKind {
    /// `example.com`
    Plain,
    /// `*.example.com`
    Suffix,
    /// `example.*`
    Prefix,
}

impl NamePattern {
    /// Reads an entry of `hosts`.
    pub(crate) fn host(text: &str) -> Result<Self, String> {
        if text.parse::<Ipv6Addr>().is_ok() {
            return Ok(Self {
                kind: NameKind::Plain,
                text: format!("[{}]", text.to_ascii_lowercase()).into(),
                port: None,
            });
        }
        if text.starts_with('[') {
            let (name, port) = split_host(text).map_err(|error| format!("'{text}' is not a host: {error}"))?;
            return Ok(Self { kind: NameKind::Plain, text: name.to_ascii_lowercase().into(), port });
        }
        let (name, port) = split_port(text);
        let port = port.map(|port| {
            port.parse().map_err(|_| {
                format!("'{text}' has a port that is not a number up to 65535; write name:port, as in example.com:8080")
            })
        });
        Self::name(name, text, port.transpose()?)
    }

    /// Reads an entry of `snis`.
    pub(crate) fn sni(text: &str) -> Result<Self, String> {
        if text.contains(':') {
            return Err(format!("'{text}' must be a name without a port, as in example.com"));
        }
        Self::name(text, text, None)
    }

    fn name(name: &str, written: &str, port: Option<u16>) -> Result<Self, String> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.matches('*').count() > 1 {
            return Err(format!("'{written}' has more than one '*': invalid wildcard: must have at most one wildcard"));
        }
        let (kind, fixed, core) = if let Some(core) = name.strip_prefix("*.") {
            (NameKind::Suffix, name.get(1..).unwrap_or_default(), core)
        } else if let Some(core) = name.strip_suffix(".*") {
            (NameKind::Prefix, name.get(..name.len().saturating_sub(1)).unwrap_or_default(), core)
        } else {
            (NameKind::Plain, name, name)
        };
        if core.contains('*') {
            return Err(format!(
                "'{written}' has its '*' in the wrong place: invalid wildcard: must be placed at leftmost or rightmost label, as in *.example.com or example.*"
            ));
        }
        split_host(core).map_err(|error| format!("'{written}' is not a host name: {error}"))?;
        Ok(Self { kind, text: fixed.to_ascii_lowercase().into(), port })
    }

    fn matches(&self, name: &str, port: u16) -> bool {
        let (name, text) = (name.as_bytes(), self.text.as_bytes());
        let part = match self.kind {
            NameKind::Plain => Some(name),
            NameKind::Suffix => name.len().checked_sub(text.len()).and_then(|start| name.get(start..)),
            NameKind::Prefix => name.get(..text.len()),
        };
        self.takes_port(port) && part.is_some_and(|part| part.eq_ignore_ascii_case(text))
    }

    fn takes_port(&self, port: u16) -> bool {
        self.port.is_none_or(|wanted| wanted == port)
    }
}

/// Compares lower-case text with a name in any case.
fn compare(text: &str, name: &str) -> Ordering {
    text.bytes().cmp(name.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// A name without the dot that may end it.
pub(crate) fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_names_match() {
        let cases = [
            ("example.com", "example.com", 80, true),
            ("Example.com", "EXAMPLE.COM", 80, true),
            ("example.com", "www.example.com", 80, false),
            ("*.example.com", "a.example.com", 80, true),
            ("*.example.com", "a.b.EXAMPLE.com", 80, true),
            ("*.example.com", "example.com", 80, false),
            ("*.example.com", "aexample.com", 80, false),
            ("example.*", "example.com", 80, true),
            ("example.*", "EXAMPLE.co.uk", 80, true),
            ("example.*", "example", 80, false),
            ("example.*", "my.example.com", 80, false),
            ("example.com:8080", "example.com", 8080, true),
            ("example.com:8080", "example.com", 80, false),
            ("*.example.com:8080", "a.example.com", 8080, true),
            ("example.*:8080", "example.com", 80, false),
            ("example.com.", "example.com", 80, true),
            ("[::1]:8080", "[::1]", 8080, true),
            ("::1", "[::1]", 80, true),
        ];
        for (pattern, name, port, expected) in cases {
            let names =
                Names::new(vec![NamePattern::host("other.example").unwrap(), NamePattern::host(pattern).unwrap()]);
            assert_eq!(names.matches(name, port), expected, "{pattern} {name}:{port}");
        }
    }

    #[test]
    fn one_name_on_two_ports() {
        let names =
            Names::new(["a.example:1", "a.example:2", "b.example"].map(|text| NamePattern::host(text).unwrap()).into());
        assert!(names.matches("a.example", 1) && names.matches("A.example", 2) && names.matches("b.example", 3));
        assert!(!names.matches("a.example", 3));
    }

    #[test]
    fn refused_patterns() {
        for (pattern, hint) in [
            ("*.a.*", "at most one wildcard"),
            ("a.*.b", "leftmost or rightmost"),
            ("*a.b", "leftmost or rightmost"),
            ("*", "leftmost or rightmost"),
            ("a:b", "example.com:8080"),
            ("a b", "may not contain ' '"),
            ("", "empty"),
            ("a..b", "two dots"),
        ] {
            let error = NamePattern::host(pattern).unwrap_err();
            assert!(error.contains(hint), "{pattern}: {error}");
        }
        assert!(NamePattern::sni("a.example:443").unwrap_err().contains("without a port"));
    }
}
