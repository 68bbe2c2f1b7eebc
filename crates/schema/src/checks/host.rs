//! Telling names, IPv4 and IPv6 addresses apart, and their ports from them.

use std::{fmt, net::Ipv6Addr};

/// A host as Kong takes it apart: `example.com:80`, `1.2.3.4`, `[::1]:80`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// What it is.
    pub kind: HostKind,
    /// The name as it was written, or the address without leading zeros, without brackets.
    pub name: String,
    /// The port, if there is one.
    pub port: Option<u16>,
}

/// What a host is. This is told by its shape: two colons make IPv6, only digits and dots make IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKind {
    /// A name.
    Name,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
}

/// Why something is no host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostError {
    /// The port is above 65535.
    Port,
    /// It is no host of the kind it looks like.
    Invalid(HostKind, String),
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port => f.write_str("invalid port number"),
            Self::Invalid(HostKind::Name, text) => write!(f, "invalid hostname: {text}"),
            Self::Invalid(HostKind::Ipv4, text) => write!(f, "invalid ipv4 address: {text}"),
            Self::Invalid(HostKind::Ipv6, text) => write!(f, "invalid ipv6 address: {text}"),
        }
    }
}

impl std::error::Error for HostError {}

impl Host {
    /// Takes a host apart.
    ///
    /// # Errors
    /// [`HostError::Port`] for a port above 65535, else [`HostError::Invalid`].
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let kind = HostKind::of(text);
        let invalid = || HostError::Invalid(kind, text.to_owned());
        let (name, port) = match kind {
            HostKind::Ipv6 => split_bracketed(text).ok_or_else(invalid)?,
            HostKind::Ipv4 | HostKind::Name => split_port(text),
        };
        let name = match kind {
            HostKind::Name => is_hostname(name).then(|| name.to_owned()),
            HostKind::Ipv4 => ipv4(name),
            HostKind::Ipv6 => ipv6(name),
        };
        let name = name.ok_or_else(invalid)?;
        let port = port.map(|digits| digits.parse().map_err(|_| HostError::Port)).transpose()?;
        Ok(Self { kind, name, port })
    }
}

impl HostKind {
    /// What a text looks like.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let colons = text.bytes().filter(|byte| *byte == b':').count();
        let mut rest = text.bytes().filter(|byte| *byte != b':').peekable();
        if colons > 1 {
            Self::Ipv6
        } else if rest.peek().is_some() && rest.all(|byte| byte.is_ascii_digit() || byte == b'.') {
            Self::Ipv4
        } else {
            Self::Name
        }
    }
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, digits)) if is_digits(digits) => (name, Some(digits)),
        _ => (text, None),
    }
}

/// `[::1]:80` or `::1`.
fn split_bracketed(text: &str) -> Option<(&str, Option<&str>)> {
    let Some(inside) = text.strip_prefix('[') else {
        return Some((text, None));
    };
    let (address, rest) = inside.split_once(']')?;
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((address, None)),
        Some(digits) if is_digits(digits) => Some((address, Some(digits))),
        _ => None,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Four numbers of up to three digits; leading zeros are dropped, as in Kong.
fn ipv4(text: &str) -> Option<String> {
    let part = |part: &str| {
        let fits = is_digits(part) && part.len() <= 3;
        fits.then(|| part.parse::<u8>().ok()).flatten()
    };
    let parts: Vec<u8> = text.split('.').map(part).collect::<Option<_>>()?;
    match parts.as_slice() {
        [a, b, c, d] => Some(format!("{a}.{b}.{c}.{d}")),
        _ => None,
    }
}

fn ipv6(text: &str) -> Option<String> {
    if text.contains('.') {
        return None;
    }
    text.parse::<Ipv6Addr>().ok().map(|address| address.to_string())
}

/// Letters, digits, `-`, `.` and `_`; no label is empty (but the last) or ends in `-`.
fn is_hostname(name: &str) -> bool {
    let characters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    let mut labels = name.split('.').rev();
    let last = labels.next().unwrap_or_default();
    !name.is_empty()
        && characters
        && !last.ends_with('-')
        && labels.all(|label| !label.is_empty() && !label.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_apart() {
        for (text, kind, name, port) in [
            ("example.com", HostKind::Name, "example.com", None),
            ("example.com.", HostKind::Name, "example.com.", None),
            ("a_b-c:80", HostKind::Name, "a_b-c", Some(80)),
            ("1.2.3.4", HostKind::Ipv4, "1.2.3.4", None),
            ("001.002.003.004:123", HostKind::Ipv4, "1.2.3.4", Some(123)),
            ("::1", HostKind::Ipv6, "::1", None),
            ("[::1]:8000", HostKind::Ipv6, "::1", Some(8000)),
        ] {
            assert_eq!(Host::parse(text), Ok(Host { kind, name: name.to_owned(), port }), "{text}");
        }
    }

    #[test]
    fn other_texts_are_told_what_they_are_not() {
        for (text, expected) in [
            ("", "invalid hostname: "),
            ("a b", "invalid hostname: a b"),
            ("a..b", "invalid hostname: a..b"),
            (".", "invalid ipv4 address: ."),
            ("-a-.b", "invalid hostname: -a-.b"),
            ("//x", "invalid hostname: //x"),
            ("abc:", "invalid hostname: abc:"),
            ("abc:70000", "invalid port number"),
            ("1.2.3", "invalid ipv4 address: 1.2.3"),
            ("1.2.3.256", "invalid ipv4 address: 1.2.3.256"),
            ("1.2.3.4:65536", "invalid port number"),
            ("some::thing", "invalid ipv6 address: some::thing"),
            ("[::1]x", "invalid ipv6 address: [::1]x"),
        ] {
            assert_eq!(Host::parse(text).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
