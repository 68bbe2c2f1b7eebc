//! The `Host` header.

use std::{fmt, net::Ipv6Addr};

/// Longer names exist nowhere: 253 is the end for a DNS name.
pub(crate) const MAX_LENGTH: usize = 255;

/// Splits a `Host` header, or a URL's authority, into the name and the port.
///
/// The name is returned as written, an IPv6 address with its brackets. Refused is what no browser
/// sends and what two servers could understand differently: nothing at all, spaces, `/`, `,`,
/// `user@`, characters beyond ASCII, escapes, a port that is no number up to 65535, empty labels.
/// A single dot at the end and an empty port (`example.com:`) are allowed, as in RFC 3986.
///
/// # Errors
/// [`HostError`], for a 400.
///
/// ```
/// use towergate_router::split_host;
///
/// assert_eq!(split_host("Example.com:8080")?, ("Example.com", Some(8080)));
/// assert_eq!(split_host("[::1]")?, ("[::1]", None));
/// assert!(split_host("good.example@evil.example").is_err());
/// # Ok::<(), towergate_router::HostError>(())
/// ```
pub fn split_host(host: &str) -> Result<(&str, Option<u16>), HostError> {
    let (name, port) = match host.strip_prefix('[') {
        Some(inside) => split_address(host, inside)?,
        None => {
            let (name, port) = split_port(host);
            check_name(name)?;
            (name, port)
        }
    };
    Ok((name, port.map(read_port).transpose()?.flatten()))
}

/// Why a host was refused. `Display` says it for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError {
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Empty,
    TooLong,
    Character(char),
    EmptyLabel,
    Address,
    Port,
}

impl HostError {
    /// Whether there is no name at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kind == Kind::Empty
    }

    /// Whether the name is good and the port is not.
    #[must_use]
    pub fn is_bad_port(&self) -> bool {
        self.kind == Kind::Port
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Empty => f.write_str("the host is empty"),
            Kind::TooLong => write!(f, "the host is longer than {MAX_LENGTH} bytes"),
            Kind::Character(':') => {
                f.write_str("the host has more than one ':'; an IPv6 address goes in brackets, as in [::1]:8080")
            }
            Kind::Character(sign) => write!(f, "the host may not contain {sign:?}"),
            Kind::EmptyLabel => f.write_str("the host has nothing between two dots, or before the first"),
            Kind::Address => f.write_str("the host has brackets without an IPv6 address in them"),
            Kind::Port => f.write_str("the port of the host is not a number from 0 to 65535"),
        }
    }
}

impl std::error::Error for HostError {}

/// Splits at the last `:`. More than one is a matter of the name.
pub(crate) fn split_port(host: &str) -> (&str, Option<&str>) {
    // Hosts are short: quicker byte by byte than by many at once.
    let colon = host.bytes().rposition(|byte| byte == b':');
    let split = colon.and_then(|at| Some((host.get(..at)?, host.get(at.saturating_add(1)..)?)));
    split.map_or((host, None), |(name, port)| (name, Some(port)))
}

fn split_address<'a>(host: &'a str, inside: &str) -> Result<(&'a str, Option<&'a str>), HostError> {
    let bad = HostError { kind: Kind::Address };
    let end = inside.find(']').ok_or_else(|| bad.clone())?;
    let address = inside.get(..end).unwrap_or_default();
    address.parse::<Ipv6Addr>().map_err(|_| bad.clone())?;
    let (name, rest) = host.split_at_checked(end.saturating_add(2)).ok_or_else(|| bad.clone())?;
    match rest.strip_prefix(':') {
        Some(port) => Ok((name, Some(port))),
        None if rest.is_empty() => Ok((name, None)),
        None => Err(bad),
    }
}

fn check_name(name: &str) -> Result<(), HostError> {
    if is_usual_name(name.as_bytes()) {
        return Ok(());
    }
    let kind = if name.is_empty() {
        Kind::Empty
    } else if name.len() > MAX_LENGTH {
        Kind::TooLong
    } else if let Some(sign) = name.chars().find(|sign| !is_name_sign(*sign)) {
        Kind::Character(sign)
    } else if name.strip_suffix('.').unwrap_or(name).split('.').any(str::is_empty) {
        Kind::EmptyLabel
    } else {
        return Ok(());
    };
    Err(HostError { kind })
}

/// Whether a name is made of letters, digits and hyphens with single dots between them, as nearly all are: seen in one
/// pass, for every request.
fn is_usual_name(name: &[u8]) -> bool {
    let mut after_dot = true;
    let signs = name.iter().all(|byte| {
        let begins = std::mem::replace(&mut after_dot, *byte == b'.');
        byte.is_ascii_alphanumeric() || *byte == b'-' || (*byte == b'.' && !begins)
    });
    signs && !after_dot && name.len() <= MAX_LENGTH
}

/// RFC 3986's unreserved characters and sub-delimiters, without the comma and escapes.
const fn is_name_sign(sign: char) -> bool {
    sign.is_ascii_alphanumeric()
        || matches!(sign, '-' | '.' | '_' | '~' | '!' | '$' | '&' | '\'' | '(' | ')' | '*' | '+' | ';' | '=')
}

fn read_port(port: &str) -> Result<Option<u16>, HostError> {
    if port.is_empty() {
        return Ok(None);
    }
    let digits = port.bytes().all(|digit| digit.is_ascii_digit());
    digits.then(|| port.parse().ok()).flatten().map(Some).ok_or(HostError { kind: Kind::Port })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn name_and_port() {
        let cases = [
            ("example.com", ("example.com", None)),
            ("Example.COM:80", ("Example.COM", Some(80))),
            ("example.com.", ("example.com.", None)),
            ("example.com:", ("example.com", None)),
            ("a_b.example:65535", ("a_b.example", Some(65535))),
            ("127.0.0.1:8000", ("127.0.0.1", Some(8000))),
            ("[::1]", ("[::1]", None)),
            ("[2001:db8::1]:443", ("[2001:db8::1]", Some(443))),
        ];
        for (host, expected) in cases {
            assert_eq!(split_host(host), Ok(expected), "{host}");
        }
    }

    #[test]
    fn refused_hosts() {
        let long = "a".repeat(256);
        let refused = [
            "",
            ":80",
            "a b",
            " a",
            "a/b",
            "a,b",
            "u@a",
            "u:p@a",
            "a:65536",
            "a:+1",
            "a:x",
            "a:8:0",
            "::1",
            "[::1",
            "[::1]x",
            "[a]",
            "[]",
            "[::1%25eth0]",
            "a..b",
            ".a",
            ".",
            "a%2eb",
            "é.example",
            "a\0",
            "a?b",
            "a#b",
            "a\\b",
            "a:-1",
            &long,
        ];
        for host in refused {
            assert!(split_host(host).is_err(), "{host:?}");
        }
        assert!(split_host(":80").unwrap_err().is_empty());
        assert!(split_host("a:x").unwrap_err().is_bad_port());
        assert_eq!(split_host("a b").unwrap_err().to_string(), "the host may not contain ' '");
    }

    proptest! {
        #[test]
        fn no_host_is_too_odd(host in prop_oneof![any::<String>(), r"\[?[a-f0-9:.]{0,12}\]?:?[0-9]{0,6}"]) {
            if let Ok((name, port)) = split_host(&host) {
                prop_assert!(host.starts_with(name) && !name.is_empty());
                let rest = &host[name.len()..];
                prop_assert!(rest.is_empty() && port.is_none() || rest.starts_with(':'));
            }
        }
    }
}
