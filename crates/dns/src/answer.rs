//! What a look-up has found.

use std::{fmt, net::IpAddr, sync::Arc, time::Instant};

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its addresses (at least one), or why there are none.
    pub found: Result<Vec<Found>, Failure>,
    /// The kind of record they come from: `A`, `AAAA` or `SRV`; empty without an address.
    pub kind: &'static str,
    /// When it is to be asked for again. In the past, it is asked for again already.
    pub expires: Instant,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The address.
    pub ip: IpAddr,
    /// The port that an SRV record brings.
    pub port: Option<u16>,
    /// The weight that an SRV record brings.
    pub weight: Option<u16>,
    /// The name that an SRV record brings.
    pub name: Option<Arc<str>>,
}

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// There is no such name.
    NoSuchName,
    /// It has no record of a kind that was asked for.
    Empty,
    /// It could not be found out, in words of Kong's where it has some.
    Failed(String),
}

impl Failure {
    /// Whether it is known that there is no address, rather than not known.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName => f.write_str("dns server error: 3 name error"),
            Self::Empty => f.write_str("dns client error: 101 empty record received"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}
