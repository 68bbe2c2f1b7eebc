//! The layer for a service of one's own.

use std::sync::Arc;

use tower_layer::Layer;
use towergate_core::{Accounts, Directory, Env, GuardLayer, GuardService, One, Plugin, PluginError};
use uuid::Uuid;

use super::{config::MtlsAuthConfig, policy::MtlsAuth};
use crate::anonymous::Anonymous;

/// Finds out by a client certificate who a request is from: the layer.
#[derive(Debug, Clone)]
pub struct MtlsLayer {
    policy: MtlsAuth,
}

impl MtlsLayer {
    /// Trusts these authorities of the directory
    /// ([`add_authority`](towergate_core::DirectoryBuilder::add_authority)); the names in a certificate
    /// name the consumer by user name or by custom id.
    pub fn new(accounts: Arc<Directory>, authorities: impl IntoIterator<Item = Uuid>) -> Self {
        let policy = MtlsAuth::with_defaults(authorities.into_iter().collect());
        Self { policy: MtlsAuth { accounts: Accounts::own(accounts), ..policy } }
    }

    /// A policy made of a configuration, with its own directory.
    ///
    /// # Errors
    /// What in the configuration is wrong.
    pub fn from_config(config: MtlsAuthConfig, accounts: Arc<Directory>) -> Result<Self, PluginError> {
        let policy = MtlsAuth::new(config, &Env::default())?;
        Ok(Self { policy: MtlsAuth { accounts: Accounts::own(accounts), ..policy } })
    }

    /// Whether an authority that is not its own issuer is trusted by itself.
    #[must_use]
    pub fn allow_partial_chain(mut self, allow: bool) -> Self {
        self.policy.trust.partial_chains = allow;
        self
    }

    /// Whether a good certificate is enough, whoever it is of.
    #[must_use]
    pub fn skip_consumer_lookup(mut self, skip: bool) -> Self {
        self.policy.consumers.skip = skip;
        self
    }

    /// The consumer (id or user name) of good certificates whose names are no consumer's.
    #[must_use]
    pub fn default_consumer(mut self, id_or_username: impl Into<String>) -> Self {
        self.policy.consumers.default = Some(id_or_username.into());
        self
    }

    /// The consumer (id or user name) that requests without a good certificate go on as.
    #[must_use]
    pub fn anonymous(mut self, id_or_username: impl Into<String>) -> Self {
        self.policy.anonymous = Anonymous::new(Some(id_or_username.into()));
        self
    }
}

impl<S> Layer<S> for MtlsLayer {
    type Service = GuardService<S, One<MtlsAuth>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}
