//! Whose requests count together.

use std::sync::Arc;

use http::{HeaderName, request::Parts};
use towergate_core::Context;

use crate::identifier::Source;

/// Whose requests count together. What a request does not have is replaced by its client's address.
///
/// The address is that of the request's [`Context`], else the `SocketAddr` or `IpAddr` among its
/// extensions; a service that puts it elsewhere says so with [`Key::function`]. Requests whose client
/// has no known address count together.
#[derive(Debug, Clone)]
pub struct Key(pub(super) Source);

impl Key {
    /// The client's address.
    pub fn client_address() -> Self {
        Self(Source::Address)
    }

    /// The first value of a header.
    pub fn header(name: HeaderName) -> Self {
        Self(Source::Header(name))
    }

    /// The authenticated consumer, else its credential.
    pub fn consumer() -> Self {
        Self(Source::Consumer)
    }

    /// All requests together.
    pub fn everybody() -> Self {
        Self::function(|_, _| Some(String::new()))
    }

    /// What a function says; a request of which it says nothing is not limited.
    pub fn function(key: impl Fn(&Context, &Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Source::Function(Arc::new(key)))
    }
}
