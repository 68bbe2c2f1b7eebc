//! Where to listen: `ip:port` with flags, as `proxy_listen` and its siblings are written.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use super::value::time;

/// One address to listen on and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// A name or an IP address; an IPv6 address without brackets; `*` for all of IPv4.
    pub host: String,
    /// The port.
    pub port: u16,
    /// TLS.
    pub ssl: bool,
    /// HTTP/2: with `ssl` by negotiation, without by prior knowledge; HTTP/1.1 works too.
    pub http2: bool,
    /// Every connection begins with a PROXY protocol header.
    pub proxy_protocol: bool,
    /// Accept only when data has arrived.
    pub deferred: bool,
    /// Bind separately for this address.
    pub bind: bool,
    /// One listening socket for each worker.
    pub reuseport: bool,
    /// Connections that may wait to be accepted.
    pub backlog: Option<u32>,
    /// Whether an IPv6 wildcard takes IPv4 too (`false`) or not (`true`).
    pub ipv6only: Option<bool>,
    /// TCP keepalive: `on`, `off` or `idle:interval:count`; without it the system decides.
    pub so_keepalive: Option<SoKeepalive>,
    /// Datagrams instead of connections. Stream listeners only.
    pub udp: bool,
    /// Accept traffic to addresses that are not ours.
    pub transparent: bool,
}

/// TCP keepalive, as nginx writes it: `on`, `off`, or `idle:interval:count`, each of which may be
/// empty for the system's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoKeepalive {
    /// No probes.
    Off,
    /// Probes.
    On {
        /// How long nothing happens before the first one.
        idle: Option<Duration>,
        /// The time between two of them.
        interval: Option<Duration>,
        /// How many without an answer end the connection.
        count: Option<u32>,
    },
}

/// What may be written after an address: HTTP and stream listeners differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `proxy_listen`, `admin_listen`, `status_listen`.
    Http,
    /// `stream_listen`.
    Stream,
}

impl Listener {
    /// The address, if the host is one and not a name.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self.host.as_str() {
            "*" => Some(Ipv4Addr::UNSPECIFIED.into()),
            host => host.parse().ok(),
        }
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.ip().is_some_and(|ip| ip.is_loopback())
    }

    /// `host:port` as one writes it, with brackets around IPv6.
    #[must_use]
    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// Reads the value of `*_listen`. `off` is no listener at all.
///
/// # Errors
/// What is wrong with which entry, and the form it should have.
pub fn parse(text: &str, protocol: Protocol) -> Result<Vec<Listener>, String> {
    let entries: Vec<_> = text.split(',').map(str::trim).collect();
    if entries.first() == Some(&"off") {
        return Ok(Vec::new());
    }
    entries
        .into_iter()
        .map(|entry| parse_one(entry, protocol).map_err(|why| format!("{why}; {}", form(protocol))))
        .collect()
}

fn form(protocol: Protocol) -> String {
    format!("must be of form: [off] | <ip>:<port> [{}], [... next entry ...]", flags(protocol).join("] ["))
}

fn flags(protocol: Protocol) -> &'static [&'static str] {
    match protocol {
        Protocol::Http => &[
            "ssl",
            "http2",
            "proxy_protocol",
            "deferred",
            "bind",
            "reuseport",
            "transparent",
            "backlog=N",
            "ipv6only=on|off",
            "so_keepalive=on|off|idle:interval:count",
        ],
        Protocol::Stream => &[
            "udp",
            "ssl",
            "proxy_protocol",
            "bind",
            "reuseport",
            "transparent",
            "backlog=N",
            "ipv6only=on|off",
            "so_keepalive=on|off|idle:interval:count",
        ],
    }
}

fn parse_one(entry: &str, protocol: Protocol) -> Result<Listener, String> {
    let mut words = entry.split_whitespace();
    let Some(address) = words.next() else {
        return Err("an empty entry".to_owned());
    };
    let (host, port) = split_address(address)?;
    let mut listener = Listener { host, port, ..Listener::default() };
    for word in words {
        set_flag(&mut listener, word, protocol).ok_or_else(|| format!("'{word}' is no flag for '{address}'"))?;
    }
    Ok(listener)
}

fn split_address(address: &str) -> Result<(String, u16), String> {
    let no_port = || format!("'{address}' has no port between 0 and 65535");
    let (host, port) = address.rsplit_once(':').ok_or_else(no_port)?;
    let port = port.parse().map_err(|_| no_port())?;
    let bad_host = || format!("'{host}' is neither an IP address nor a name (IPv6 goes in brackets)");
    let host = match host.strip_prefix('[') {
        Some(inside) => {
            let ip = inside.strip_suffix(']').filter(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
            ip.ok_or_else(bad_host)?
        }
        None if is_plain_host(host) => host,
        None => return Err(bad_host()),
    };
    Ok((host.to_owned(), port))
}

fn is_plain_host(host: &str) -> bool {
    let dotted = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match dotted {
        true => host.parse::<Ipv4Addr>().is_ok(),
        false => host == "*" || host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')),
    }
}

fn set_flag(listener: &mut Listener, word: &str, protocol: Protocol) -> Option<()> {
    let http = protocol == Protocol::Http;
    match word.split_once('=') {
        None => {
            let flag = match word {
                "ssl" => &mut listener.ssl,
                "http2" if http => &mut listener.http2,
                "proxy_protocol" => &mut listener.proxy_protocol,
                "deferred" if http => &mut listener.deferred,
                "bind" => &mut listener.bind,
                "reuseport" => &mut listener.reuseport,
                "transparent" => &mut listener.transparent,
                "udp" if !http => &mut listener.udp,
                _ => return None,
            };
            *flag = true;
        }
        Some(("backlog", n)) => listener.backlog = Some(n.parse().ok()?),
        Some(("ipv6only", "on")) => listener.ipv6only = Some(true),
        Some(("ipv6only", "off")) => listener.ipv6only = Some(false),
        Some(("so_keepalive", value)) => listener.so_keepalive = Some(keepalive(value)?),
        Some(_) => return None,
    }
    Some(())
}

fn keepalive(value: &str) -> Option<SoKeepalive> {
    match value {
        "on" => return Some(SoKeepalive::On { idle: None, interval: None, count: None }),
        "off" => return Some(SoKeepalive::Off),
        // nginx wants one of them at least.
        "::" => return None,
        _ => {}
    }
    let mut parts = value.split(':');
    let (idle, interval, count) = (parts.next()?, parts.next()?, parts.next()?);
    // The kernel counts whole seconds, and refuses none at all.
    let seconds = |text: &str| time(text).filter(|time| *time >= Duration::from_secs(1));
    let idle = optional(idle, seconds)?;
    let interval = optional(interval, seconds)?;
    let count = optional(count, |text| text.parse().ok().filter(|count| *count > 0))?;
    parts.next().is_none().then_some(SoKeepalive::On { idle, interval, count })
}

/// What is written, if anything is; `None` if it is wrong.
fn optional<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, protocol: Protocol) -> Listener {
        parse(text, protocol).unwrap().remove(0)
    }

    #[test]
    fn addresses_and_flags() {
        let at = |host: &str, port| Listener { host: host.into(), port, ..Listener::default() };
        for (text, expected) in [
            ("0.0.0.0:8000", at("0.0.0.0", 8000)),
            ("[::]:8000 ipv6only=on", Listener { ipv6only: Some(true), ..at("::", 8000) }),
            ("localhost:8001", at("localhost", 8001)),
            ("*:80", at("*", 80)),
            ("127.0.0.1:8443 http2 ssl", Listener { http2: true, ssl: true, ..at("127.0.0.1", 8443) }),
            (
                "1.2.3.4:80 reuseport backlog=16384 so_keepalive=30m::10 deferred bind",
                Listener {
                    reuseport: true,
                    backlog: Some(16384),
                    so_keepalive: Some(SoKeepalive::On {
                        idle: Some(Duration::from_secs(1800)),
                        interval: None,
                        count: Some(10),
                    }),
                    deferred: true,
                    bind: true,
                    ..at("1.2.3.4", 80)
                },
            ),
            (
                "1.2.3.4:80 proxy_protocol transparent",
                Listener { proxy_protocol: true, transparent: true, ..at("1.2.3.4", 80) },
            ),
        ] {
            assert_eq!(one(text, Protocol::Http), expected, "{text}");
        }
        assert!(one("0.0.0.0:53 udp", Protocol::Stream).udp);
        assert_eq!(parse(" off ", Protocol::Http), Ok(vec![]));
        let two = parse("0.0.0.0:8000, 0.0.0.0:8443 ssl", Protocol::Http).unwrap();
        assert_eq!(two.iter().map(|l| (l.port, l.ssl)).collect::<Vec<_>>(), [(8000, false), (8443, true)]);
    }

    #[test]
    fn what_is_wrong_is_told_with_the_right_form() {
        for (text, protocol, why) in [
            ("", Protocol::Http, "an empty entry"),
            ("8000", Protocol::Http, "'8000' has no port between 0 and 65535"),
            ("0.0.0.0:80000", Protocol::Http, "'0.0.0.0:80000' has no port between 0 and 65535"),
            ("0.0.0:80", Protocol::Http, "'0.0.0' is neither an IP address nor a name (IPv6 goes in brackets)"),
            ("::1:80", Protocol::Http, "'::1' is neither an IP address nor a name (IPv6 goes in brackets)"),
            ("0.0.0.0:80 tls", Protocol::Http, "'tls' is no flag for '0.0.0.0:80'"),
            ("0.0.0.0:80 udp", Protocol::Http, "'udp' is no flag for '0.0.0.0:80'"),
            ("0.0.0.0:80 http2", Protocol::Stream, "'http2' is no flag for '0.0.0.0:80'"),
            ("0.0.0.0:80 so_keepalive=::", Protocol::Http, "'so_keepalive=::' is no flag for '0.0.0.0:80'"),
            ("0.0.0.0:80 so_keepalive=1:2", Protocol::Http, "'so_keepalive=1:2' is no flag for '0.0.0.0:80'"),
            ("0.0.0.0:80 so_keepalive=0:1:1", Protocol::Http, "'so_keepalive=0:1:1' is no flag for '0.0.0.0:80'"),
            ("0.0.0.0:80 backlog=many", Protocol::Http, "'backlog=many' is no flag for '0.0.0.0:80'"),
        ] {
            let error = parse(text, protocol).unwrap_err();
            assert!(error.starts_with(&format!("{why}; must be of form: [off] | <ip>:<port> [")), "{error}");
        }
    }

    #[test]
    fn loopback_is_known_by_name_and_number() {
        for (text, loopback) in
            [("127.0.0.1:1", true), ("[::1]:1", true), ("localhost:1", true), ("0.0.0.0:1", false), ("*:1", false)]
        {
            assert_eq!(one(text, Protocol::Http).is_loopback(), loopback, "{text}");
        }
        assert_eq!(one("[::1]:80", Protocol::Http).address(), "[::1]:80");
    }
}
