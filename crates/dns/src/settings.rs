//! What an operator may set about name resolution.

use std::{error::Error, fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

/// Settings of a [`Client`](crate::Client); defaults are Kong's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Who is asked (`dns_resolver`); empty asks those of `resolv_conf`.
    pub servers: Vec<SocketAddr>,
    /// Where servers, search domains, `ndots`, `timeout` and `attempts` stand. Default `/etc/resolv.conf`.
    pub resolv_conf: PathBuf,
    /// The hosts file (`dns_hostsfile`). Default `/etc/hosts`.
    pub hosts_file: PathBuf,
    /// Which kinds of records are asked for, one after the other (`dns_order`). Default last, SRV, A.
    pub order: Vec<Kind>,
    /// How long an answer counts, instead of its own TTL (`dns_valid_ttl`).
    pub valid_ttl: Option<Duration>,
    /// How long an answer is used past its time (`dns_stale_ttl`). Default an hour.
    pub stale_ttl: Duration,
    /// How long it counts that there is no such name (`dns_not_found_ttl`). Default 30 seconds.
    pub not_found_ttl: Duration,
    /// How long a failure counts (`dns_error_ttl`). Default one second.
    pub error_ttl: Duration,
    /// How many names are remembered (`dns_cache_size`). Default 10000.
    pub cache_size: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            resolv_conf: "/etc/resolv.conf".into(),
            hosts_file: "/etc/hosts".into(),
            order: vec![Kind::Last, Kind::Srv, Kind::A],
            valid_ttl: None,
            stale_ttl: Duration::from_secs(3600),
            not_found_ttl: Duration::from_secs(30),
            error_ttl: Duration::from_secs(1),
            cache_size: 10_000,
        }
    }
}

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The one that had an answer last for this name.
    Last,
    /// Names with ports and weights.
    Srv,
    /// Addresses of IPv4.
    A,
    /// Addresses of IPv6.
    Aaaa,
    /// Other names; they are followed whenever they come.
    Cname,
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        match text.to_ascii_uppercase().as_str() {
            "LAST" => Ok(Self::Last),
            "SRV" => Ok(Self::Srv),
            "A" => Ok(Self::A),
            "AAAA" => Ok(Self::Aaaa),
            "CNAME" => Ok(Self::Cname),
            _ => Err(UnknownKind(format!("'{text}' is no kind of record (LAST, SRV, A, AAAA, CNAME)"))),
        }
    }
}

/// What is no kind of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKind(pub(crate) String);

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for UnknownKind {}
