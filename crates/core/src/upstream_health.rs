//! How well the targets of an upstream are, for those who show it.

use std::net::SocketAddr;

/// How well an upstream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamHealth {
    /// Whether its health is watched at all.
    pub is_watched: bool,
    /// Whether it is used: enough of its weight is healthy.
    pub is_healthy: bool,
    /// Its targets, in the order of configuration.
    pub targets: Vec<TargetHealth>,
}

/// How well one target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetHealth {
    /// Host name or address (IPv6 without brackets).
    pub host: String,
    /// Port.
    pub port: u16,
    /// Its weight as configured.
    pub weight: u16,
    /// The kind of record its addresses come from, or why there are none.
    pub dns: String,
    /// Whether it is an address itself, or a name that was looked up, with or without success.
    pub is_looked_up: bool,
    /// Its addresses.
    pub addresses: Vec<AddressHealth>,
}

/// How well one address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressHealth {
    /// The address.
    pub address: SocketAddr,
    /// Its weight.
    pub weight: u16,
    /// Whether it is in rotation.
    pub is_healthy: bool,
}
