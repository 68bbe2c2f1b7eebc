//! The layer for a service of one's own.

use std::{num::NonZeroUsize, sync::Arc};

use http::HeaderValue;
use tower_layer::Layer;
use towergate_core::{Accounts, Directory, GuardLayer, GuardService, One};

use super::{
    policy::{BasicAuth, challenge},
    verifier::Verifier,
};
use crate::anonymous::Anonymous;

/// Finds out by user name and password who a request is from: the layer.
#[derive(Debug, Clone)]
pub struct BasicAuthLayer {
    policy: BasicAuth,
}

impl BasicAuthLayer {
    /// Looks user names up in this directory, under [`BasicAuth::CREDENTIALS`], with Kong's
    /// defaults: the realm `service`, everything else refused.
    ///
    /// Argon2 hashes are verified on the blocking threads of the tokio runtime that serves the
    /// request, on as many at a time as half of the processors are; where there is no such runtime,
    /// at once.
    pub fn new(accounts: Arc<Directory>) -> Self {
        let policy = BasicAuth {
            hide: false,
            challenge: HeaderValue::from_static("Basic realm=\"service\""),
            anonymous: Anonymous::default(),
            accounts: Accounts::own(accounts),
            verifier: Arc::default(),
        };
        Self { policy }
    }

    /// A policy made of a configuration, with its own directory.
    pub fn from_policy(mut policy: BasicAuth, accounts: Arc<Directory>) -> Self {
        policy.accounts = Accounts::own(accounts);
        Self { policy }
    }

    /// Whether the header that held the password is removed from the request before it goes on.
    #[must_use]
    pub fn hide_credentials(mut self, hide: bool) -> Self {
        self.policy.hide = hide;
        self
    }

    /// The consumer (id or user name) that requests without a good password go on as.
    #[must_use]
    pub fn anonymous(mut self, id_or_username: impl Into<String>) -> Self {
        self.policy.anonymous = Anonymous::new(Some(id_or_username.into()));
        self
    }

    /// The realm that a refusal names (`service` unless told otherwise).
    #[must_use]
    pub fn realm(mut self, realm: &HeaderValue) -> Self {
        if let Some(challenge) = challenge(realm.as_bytes()) {
            self.policy.challenge = challenge;
        }
        self
    }

    /// How many argon2 hashes are verified at a time. Each takes a processor for tens of
    /// milliseconds, and 19 MiB or what the hash asks for. Up to 256 requests wait for their turn;
    /// more are answered 503.
    #[must_use]
    pub fn verifications_at_a_time(mut self, limit: NonZeroUsize) -> Self {
        self.policy.verifier = Arc::new(Verifier::new(limit));
        self
    }
}

impl<S> Layer<S> for BasicAuthLayer {
    type Service = GuardService<S, One<BasicAuth>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}
