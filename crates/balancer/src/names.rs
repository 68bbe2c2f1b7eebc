//! How names of targets become addresses.

use std::{future::Future, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

/// Looks names up.
pub trait Names: Send + Sync {
    /// Whatever is known of this name. It is asked again when that has expired.
    fn look_up<'a>(&'a self, name: &'a str) -> Asking<'a>;
}

/// An answer that is being waited for.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its addresses; none if it has none, or if they cannot be found out.
    pub addresses: Vec<Address>,
    /// How long this is good for.
    pub ttl: Duration,
    /// The kind of record (`A`, `AAAA`, `SRV`), or what went wrong.
    pub kind: String,
}

/// One address of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The port that counts instead of the target's (SRV).
    pub port: Option<u16>,
    /// The weight that counts instead of the target's (SRV).
    pub weight: Option<u16>,
    /// The name of the service there (SRV).
    pub name: Option<Arc<str>>,
}
