//! The layer for a service of one's own.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;
use tower_layer::Layer;
use towergate_core::{Accounts, Directory, GuardLayer, GuardService, One};

use super::{
    algorithm::HmacAlgorithm,
    policy::{BODY_LIMIT, HmacAuth, challenge},
};
use crate::anonymous::Anonymous;

/// Finds out by a signature over a request who it is from: the layer.
#[derive(Debug, Clone)]
pub struct HmacAuthLayer {
    policy: HmacAuth,
}

impl HmacAuthLayer {
    /// Looks user names up in this directory, under [`HmacAuth::CREDENTIALS`], with Kong's defaults:
    /// [four algorithms](HmacAlgorithm::DEFAULT), dates up to five minutes from now, nothing that must
    /// be signed, everything else refused.
    pub fn new(accounts: Arc<Directory>) -> Self {
        let policy = HmacAuth {
            hide: false,
            skew: Duration::from_secs(300),
            anonymous: Anonymous::default(),
            validate_body: false,
            body_limit: BODY_LIMIT,
            enforced: Vec::new(),
            algorithms: HmacAlgorithm::DEFAULT.to_vec(),
            challenge: HeaderValue::from_static("hmac"),
            accounts: Accounts::own(accounts),
        };
        Self { policy }
    }

    /// A policy made of a configuration, with its own directory.
    pub fn from_policy(mut policy: HmacAuth, accounts: Arc<Directory>) -> Self {
        policy.accounts = Accounts::own(accounts);
        Self { policy }
    }

    /// The algorithms that are accepted.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = HmacAlgorithm>) -> Self {
        self.policy.algorithms = algorithms.into_iter().collect();
        self
    }

    /// How far a request's `X-Date` or `Date` may be from now.
    #[must_use]
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.policy.skew = skew;
        self
    }

    /// What a signature must cover at least: names of headers, `request-line`, `@request-target`.
    /// `date` and `request-line` are a good choice; without them a signature may be sent again with
    /// another request, or later.
    #[must_use]
    pub fn enforce_headers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.policy.enforced = names.into_iter().map(Into::into).collect();
        self
    }

    /// Whether a body must be the one that `Digest: SHA-256=…` tells. A body of more than 8 MiB, or
    /// [another limit](Self::body_limit), is refused then.
    #[must_use]
    pub fn validate_request_body(mut self, validate: bool) -> Self {
        self.policy.validate_body = validate;
        self
    }

    /// The largest body, in bytes, whose digest is validated.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.policy.body_limit = bytes;
        self
    }

    /// Whether the header that held the signature is removed from the request before it goes on.
    #[must_use]
    pub fn hide_credentials(mut self, hide: bool) -> Self {
        self.policy.hide = hide;
        self
    }

    /// The consumer (id or user name) that requests without a good signature go on as.
    #[must_use]
    pub fn anonymous(mut self, id_or_username: impl Into<String>) -> Self {
        self.policy.anonymous = Anonymous::new(Some(id_or_username.into()));
        self
    }

    /// The realm that a refusal names.
    #[must_use]
    pub fn realm(mut self, realm: &HeaderValue) -> Self {
        if let Some(challenge) = challenge(Some(realm.as_bytes())) {
            self.policy.challenge = challenge;
        }
        self
    }
}

impl<S> Layer<S> for HmacAuthLayer {
    type Service = GuardService<S, One<HmacAuth>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}
