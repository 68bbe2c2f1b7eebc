//! The layer for a service of one's own.

use std::sync::Arc;

use http::StatusCode;
use tower_layer::Layer;
use towergate_core::{GuardLayer, GuardService, One, PluginError};

use crate::policy::{ClientAddress, IpRestriction, addresses};

/// Lets requests pass or not by their client's address: the layer.
#[derive(Debug, Clone, Default)]
pub struct IpRestrictionLayer {
    policy: IpRestriction,
}

impl IpRestrictionLayer {
    /// Everybody may ask.
    pub fn new() -> Self {
        Self::default()
    }

    /// The only addresses and ranges (`192.0.2.0/24`) that may ask.
    ///
    /// # Errors
    /// An entry that is neither, with its place (`allow[1]`).
    pub fn allow<T: AsRef<str>>(mut self, entries: impl IntoIterator<Item = T>) -> Result<Self, PluginError> {
        self.policy.allow = Arc::new(addresses("allow", entries)?);
        Ok(self)
    }

    /// The addresses and ranges that are refused, even if they are allowed.
    ///
    /// # Errors
    /// An entry that is neither, with its place (`deny[1]`).
    pub fn deny<T: AsRef<str>>(mut self, entries: impl IntoIterator<Item = T>) -> Result<Self, PluginError> {
        self.policy.deny = Arc::new(addresses("deny", entries)?);
        Ok(self)
    }

    /// The status of a refusal, instead of 403.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.policy.status = status;
        self
    }

    /// What the client of a refusal reads, instead of `IP address not allowed: ` and its address.
    #[must_use]
    pub fn message(mut self, message: impl Into<Arc<str>>) -> Self {
        self.policy.message = Some(message.into());
        self
    }

    /// How the client's address is found, instead of in the gateway's context.
    #[must_use]
    pub fn client_address(mut self, find: ClientAddress) -> Self {
        self.policy.client_address = Some(find);
        self
    }
}

impl From<IpRestriction> for IpRestrictionLayer {
    fn from(policy: IpRestriction) -> Self {
        Self { policy }
    }
}

impl<S> Layer<S> for IpRestrictionLayer {
    type Service = GuardService<S, One<IpRestriction>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}
