//! Where a request may be sent instead of to its route's service.

use std::{fmt, sync::Arc};

use crate::{context::Matched, plan::Policy, route::Service};

/// Where a request may be sent instead of to its route's service. A plugin says beforehand which it may
/// choose ([`Plugin::overrides`](crate::Plugin::overrides)), so that the way there is made with the
/// configuration, and chooses on a request's way
/// ([`Context::override_service`](crate::Context::override_service)).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServiceOverride {
    /// The same service at another host (a name, an address, or an upstream's name), another port, or
    /// both; what is `None` stays.
    Host {
        /// The host.
        host: Option<String>,
        /// The port.
        port: Option<u16>,
    },
    /// The same service at the targets of the upstream of this name.
    Upstream(String),
    /// Another service, by its name or id.
    Service(String),
}

/// The way to one of the places where requests of a plan may be sent instead.
#[derive(Clone)]
pub struct OtherWay {
    /// What it is the way to.
    pub to: ServiceOverride,
    /// The service in its place.
    pub service: Arc<Service>,
    /// What the proxying service needs to reach it.
    pub destination: Arc<Policy>,
    /// Whether it can be used now: a service with an upstream of which nobody is well cannot.
    pub is_usable: Arc<dyn Fn() -> bool + Send + Sync>,
    /// The path to ask for there, escaped, without the query; `None` where it is the same.
    pub path: Option<Arc<OtherPath>>,
}

/// The path to ask another service for, of what the router found out.
pub type OtherPath = dyn Fn(&Matched) -> String + Send + Sync;

impl fmt::Display for ServiceOverride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { host, port } => {
                f.write_str(host.as_deref().unwrap_or_default())?;
                port.map_or(Ok(()), |port| write!(f, ":{port}"))
            }
            Self::Upstream(name) => write!(f, "upstream {name}"),
            Self::Service(name) => write!(f, "service {name}"),
        }
    }
}

impl fmt::Debug for OtherWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherWay").field("to", &self.to).finish_non_exhaustive()
    }
}
