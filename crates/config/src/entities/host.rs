//! Host names and addresses with or without a port, by Kong's idea of what is one.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A host and its port, if it has one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// A name as written, or an address in its long form: no leading zeros in IPv4, all of IPv6.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) kind: Kind,
}

/// What a host looks like. Whatever has two colons is IPv6, digits and dots are IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    V4,
    V6,
}

/// Why a text is no host. Its text is Kong's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// The port is above 65535.
    Port,
    /// Anything else.
    Host(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port => f.write_str("invalid port number"),
            Self::Host(why) => f.write_str(why),
        }
    }
}

impl Host {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let colons = text.bytes().filter(|b| *b == b':').count();
        let numeric = text
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'.' || b == b':');
        match (colons, numeric && text.bytes().any(|b| b != b':')) {
            (2.., _) => Self::v6(text),
            (_, true) => Self::v4(text),
            _ => Self::name(text),
        }
    }

    /// `host:port` with brackets around IPv6, and `default` where there is no port.
    pub(super) fn with_port(&self, default: u16) -> String {
        let port = self.port.unwrap_or(default);
        match self.kind {
            Kind::V6 => format!("[{}]:{port}", self.host),
            _ => format!("{}:{port}", self.host),
        }
    }

    fn v4(text: &str) -> Result<Self, Error> {
        let bad = || Error::Host(format!("invalid ipv4 address: {text}"));
        let (address, port) = match text.split_once(':') {
            Some((address, port)) if !port.is_empty() => (address, Some(port)),
            Some(_) => return Err(bad()),
            None => (text, None),
        };
        let mut octets = Vec::with_capacity(4);
        for part in address.split('.') {
            let octet: u8 = Some(part)
                .filter(|p| p.len() <= 3)
                .and_then(|p| p.parse().ok())
                .ok_or_else(bad)?;
            octets.push(octet);
        }
        let octets: [u8; 4] = octets.try_into().map_err(|_| bad())?;
        let port = port.map(parse_port).transpose()?;
        Ok(Self {
            host: Ipv4Addr::from(octets).to_string(),
            port,
            kind: Kind::V4,
        })
    }

    fn v6(text: &str) -> Result<Self, Error> {
        let bad = || Error::Host(format!("invalid ipv6 address: {text}"));
        let (address, port) = match text.strip_prefix('[') {
            None => (text, None),
            Some(rest) => {
                let (address, after) = rest.split_once(']').ok_or_else(bad)?;
                match after.strip_prefix(':') {
                    Some(port) if is_digits(port) => (address, Some(port)),
                    None if after.is_empty() => (address, None),
                    _ => return Err(Error::Host("invalid ipv6 address".to_owned())),
                }
            }
        };
        let port = port.map(parse_port).transpose()?;
        let address: Ipv6Addr = address.parse().map_err(|_| bad())?;
        let long: Vec<_> = address
            .segments()
            .iter()
            .map(|segment| format!("{segment:04x}"))
            .collect();
        Ok(Self {
            host: long.join(":"),
            port,
            kind: Kind::V6,
        })
    }

    fn name(text: &str) -> Result<Self, Error> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if is_digits(port) => (name, Some(parse_port(port)?)),
            _ => (text, None),
        };
        let letters = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
        let mut labels = name.strip_suffix('.').unwrap_or(name).split('.');
        if letters && labels.all(|label| !label.is_empty() && !label.ends_with('-')) {
            return Ok(Self {
                host: name.to_owned(),
                port,
                kind: Kind::Name,
            });
        }
        Err(Error::Host(format!("invalid hostname: {text}")))
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn parse_port(digits: &str) -> Result<u16, Error> {
    digits.parse().map_err(|_| Error::Port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_come_apart_as_in_kong() {
        for (text, host, port, kind) in [
            ("example.com", "example.com", None, Kind::Name),
            ("example.com.", "example.com.", None, Kind::Name),
            ("under_score:80", "under_score", Some(80), Kind::Name),
            ("001.002.003.004:123", "1.2.3.4", Some(123), Kind::V4),
            ("10.0.0.1", "10.0.0.1", None, Kind::V4),
            (
                "::1",
                "0000:0000:0000:0000:0000:0000:0000:0001",
                None,
                Kind::V6,
            ),
            (
                "[2001:DB8::1]:80",
                "2001:0db8:0000:0000:0000:0000:0000:0001",
                Some(80),
                Kind::V6,
            ),
        ] {
            assert_eq!(
                Host::parse(text),
                Ok(Host {
                    host: host.into(),
                    port,
                    kind
                }),
                "{text}"
            );
        }
        for (text, why) in [
            ("a b", "invalid hostname: a b"),
            ("a..b", "invalid hostname: a..b"),
            ("a-.b", "invalid hostname: a-.b"),
            ("host:", "invalid hostname: host:"),
            ("host:99999", "invalid port number"),
            ("1.2.3", "invalid ipv4 address: 1.2.3"),
            ("1.2.3.256", "invalid ipv4 address: 1.2.3.256"),
            ("1.2.3.4:99999", "invalid port number"),
            ("a:b:c", "invalid ipv6 address: a:b:c"),
            ("", "invalid hostname: "),
        ] {
            assert_eq!(Host::parse(text).unwrap_err().to_string(), why, "{text}");
        }
        assert_eq!(
            Host::parse("::1").unwrap().with_port(8000),
            "[0000:0000:0000:0000:0000:0000:0000:0001]:8000"
        );
        assert_eq!(Host::parse("a:1").unwrap().with_port(8000), "a:1");
    }
}
