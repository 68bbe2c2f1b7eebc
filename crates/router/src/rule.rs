//! What a rule says: which requests it wants.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::{BitOr, BitOrAssign},
    str::FromStr,
};

use ipnet::IpNet;
use uuid::Uuid;

/// One route's conditions, in Kong's own notation.
///
/// An empty list means "does not matter". A rule matches when every list that is not empty has an
/// entry that matches. `Rule::default()` has no condition at all and speaks `http` and `https`, so
/// a caller sets only what it uses:
///
/// ```
/// use towergate_router::Rule;
///
/// let rule = Rule { paths: vec!["/orders".into()], methods: vec!["GET".into()], ..Rule::default() };
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rule {
    /// Breaks ties: of two equally important rules the one with the greater id wins.
    pub id: Uuid,
    /// Which kinds of traffic the rule takes part in. `http`, `https`, `grpc` and `grpcs` are one
    /// family and are not told apart while matching: a request that arrives by the wrong one of
    /// them still finds its rule, so that it can be redirected instead of lost.
    pub protocols: Protocols,
    /// Exact methods, upper case (`GET`).
    pub methods: Vec<String>,
    /// `example.com`, `*.example.com` (any depth, not the apex) or `example.*`, each optionally
    /// with a `:port`. Letter case does not matter.
    pub hosts: Vec<String>,
    /// `/prefix` (a prefix of bytes: `/foo` takes `/foobar` too) or `~regex` (anchored at the
    /// start of the path, not at its end). Compared with letter case.
    pub paths: Vec<String>,
    /// Header name and the values of which one must be present. `-` and `_` in names are the same
    /// and letter case never matters. A value that begins with `~*` is a regular expression.
    pub headers: Vec<(String, Vec<String>)>,
    /// TLS server names, written like hosts but without a port. Not looked at when the connection
    /// is not TLS.
    pub snis: Vec<String>,
    /// Client addresses.
    pub sources: Vec<Address>,
    /// Addresses of this side of the connection.
    pub destinations: Vec<Address>,
    /// Orders rules with regex paths among each other, the higher first. Values above `u32::MAX`
    /// count as `u32::MAX`, negative ones as 0; between rules that are level afterwards the value
    /// as written decides, so a negative one is behind a 0.
    pub regex_priority: i64,
}

/// An address of a connection's end: all that is given must be so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Address {
    /// The IP address or network; `None`: any.
    pub ip: Option<Network>,
    /// The port; `None`: any.
    pub port: Option<u16>,
}

impl Address {
    /// Whether the socket address satisfies this condition. IPv4 written inside IPv6
    /// (`::ffff:192.0.2.1`) is taken as IPv4.
    #[must_use]
    pub fn contains(&self, address: &SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        self.ip.is_none_or(|network| network.contains(&ip)) && self.port.is_none_or(|port| port == address.port())
    }
}

/// One IP address, or a network of them. Kong ranks the first above the second, even above a `/32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// Written without a slash: `192.0.2.1`.
    One(IpAddr),
    /// Written with a slash: `192.0.2.0/24`. Bits behind the mask do not matter.
    Cidr(IpNet),
}

impl Network {
    /// Whether the address is this one, or inside.
    #[must_use]
    pub fn contains(&self, ip: &IpAddr) -> bool {
        match self {
            Self::One(one) => one.to_canonical() == *ip,
            Self::Cidr(network) => network.contains(ip),
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let parsed =
            if text.contains('/') { text.parse().ok().map(Self::Cidr) } else { text.parse().ok().map(Self::One) };
        parsed.ok_or_else(|| NetworkError { text: text.to_owned() })
    }
}

/// The text is neither an IP address nor a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkError {
    text: String,
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is neither an IP address (192.0.2.1) nor a network (192.0.2.0/24)", self.text)
    }
}

impl std::error::Error for NetworkError {}

/// A set of protocols. Empty is possible, but no rule may have it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocols(u8);

impl Protocols {
    /// HTTP without TLS.
    pub const HTTP: Self = Self(1);
    /// HTTP over TLS.
    pub const HTTPS: Self = Self(1 << 1);
    /// gRPC without TLS.
    pub const GRPC: Self = Self(1 << 2);
    /// gRPC over TLS.
    pub const GRPCS: Self = Self(1 << 3);
    /// A TCP stream.
    pub const TCP: Self = Self(1 << 4);
    /// A TCP stream inside TLS that ends here.
    pub const TLS: Self = Self(1 << 5);
    /// Datagrams.
    pub const UDP: Self = Self(1 << 6);
    /// TLS that is handed on without being opened.
    pub const TLS_PASSTHROUGH: Self = Self(1 << 7);
    /// No protocol.
    pub const NONE: Self = Self(0);

    pub(crate) const WEB: Self = Self(0b0000_1111);
    pub(crate) const STREAM: Self = Self(0b1111_0000);

    const NAMES: [(&'static str, Self); 8] = [
        ("http", Self::HTTP),
        ("https", Self::HTTPS),
        ("grpc", Self::GRPC),
        ("grpcs", Self::GRPCS),
        ("tcp", Self::TCP),
        ("tls", Self::TLS),
        ("udp", Self::UDP),
        ("tls_passthrough", Self::TLS_PASSTHROUGH),
    ];

    /// Whether every protocol of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the two sets have a protocol in common.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names in the set, as Kong writes them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(_, one)| self.contains(*one)).map(|(name, _)| name)
    }
}

impl Default for Protocols {
    /// `http` and `https`, like Kong.
    fn default() -> Self {
        Self::HTTP | Self::HTTPS
    }
}

impl BitOr for Protocols {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Protocols {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl FromIterator<Self> for Protocols {
    fn from_iter<I: IntoIterator<Item = Self>>(sets: I) -> Self {
        sets.into_iter().fold(Self::NONE, BitOr::bitor)
    }
}

impl fmt::Debug for Protocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl FromStr for Protocols {
    type Err = ProtocolError;

    /// One protocol by its name, such as `tls_passthrough`.
    fn from_str(name: &str) -> Result<Self, ProtocolError> {
        let known = Self::NAMES.into_iter().find(|(known, _)| *known == name);
        known.map(|(_, one)| one).ok_or_else(|| ProtocolError { name: name.to_owned() })
    }
}

/// The name is none of the eight protocols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolError {
    name: String,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown protocol '{}'; known are", self.name)?;
        for (i, (name, _)) in Protocols::NAMES.iter().enumerate() {
            write!(f, "{} {name}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for ProtocolError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_a_set_with_names() {
        let set: Protocols = ["tcp", "tls"].iter().map(|name| name.parse::<Protocols>().unwrap()).collect();
        assert_eq!(set, Protocols::TCP | Protocols::TLS);
        assert_eq!(format!("{set:?}"), r#"{"tcp", "tls"}"#);
        assert_eq!(Protocols::default().names().collect::<Vec<_>>(), ["http", "https"]);
        let error = "ftp".parse::<Protocols>().unwrap_err().to_string();
        assert_eq!(error, "unknown protocol 'ftp'; known are http, https, grpc, grpcs, tcp, tls, udp, tls_passthrough");
    }

    #[test]
    fn an_address_wants_all_that_it_names() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let net = |text: &str| Some(text.parse::<Network>().unwrap());
        let cases = [
            (Address { ip: net("192.0.2.1"), port: None }, "192.0.2.1:9", true),
            (Address { ip: net("192.0.2.1"), port: None }, "192.0.2.2:9", false),
            (Address { ip: net("192.0.2.1"), port: None }, "[::ffff:192.0.2.1]:9", true),
            (Address { ip: net("192.0.2.77/24"), port: None }, "192.0.2.1:9", true),
            (Address { ip: net("192.0.2.0/24"), port: Some(8) }, "192.0.2.1:9", false),
            (Address { ip: None, port: Some(9) }, "[2001:db8::1]:9", true),
            (Address { ip: net("2001:db8::/32"), port: Some(9) }, "[2001:db8::1]:9", true),
            (Address { ip: net("2001:db8::/32"), port: None }, "192.0.2.1:9", false),
        ];
        for (address, socket, expected) in cases {
            assert_eq!(address.contains(&at(socket)), expected, "{address:?} {socket}");
        }
        assert!("localhost".parse::<Network>().is_err());
    }
}
