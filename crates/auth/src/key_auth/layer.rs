//! The layer for a service of one's own.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use tower_layer::Layer;
use towergate_core::{Accounts, Directory, GuardLayer, GuardService, One};

use super::{
    policy::{BODY_LIMIT, KeyAuth, challenge},
    search::{KeyName, Places},
};
use crate::anonymous::Anonymous;

/// Finds out by an API key who a request is from: the layer.
#[derive(Debug, Clone)]
pub struct KeyAuthLayer {
    policy: KeyAuth,
}

impl KeyAuthLayer {
    /// Looks keys up in this directory, under [`KeyAuth::CREDENTIALS`], with Kong's defaults: the
    /// name `apikey` in header or query, everything else refused.
    pub fn new(accounts: Arc<Directory>) -> Self {
        let policy = KeyAuth {
            names: vec![KeyName::of("apikey", HeaderName::from_static("apikey"))],
            places: Places { header: true, query: true, body: false },
            hide: false,
            on_preflight: true,
            body_limit: BODY_LIMIT,
            challenge: HeaderValue::from_static("Key"),
            anonymous: Anonymous::default(),
            accounts: Accounts::own(accounts),
        };
        Self { policy }
    }

    /// A policy made of a configuration, with its own directory.
    pub fn from_policy(mut policy: KeyAuth, accounts: Arc<Directory>) -> Self {
        policy.accounts = Accounts::own(accounts);
        Self { policy }
    }

    /// The names a key is looked for under, in this order. Query arguments and fields are looked up
    /// by the same name in lower case.
    #[must_use]
    pub fn names(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.policy.names = names.into_iter().map(|name| KeyName::of(name.clone().as_str(), name)).collect();
        self
    }

    /// Whether a key may stand in a header (it may unless told otherwise).
    #[must_use]
    pub fn in_header(mut self, allowed: bool) -> Self {
        self.policy.places.header = allowed;
        self
    }

    /// Whether a key may stand in the query (it may unless told otherwise).
    #[must_use]
    pub fn in_query(mut self, allowed: bool) -> Self {
        self.policy.places.query = allowed;
        self
    }

    /// Whether a key may stand in the body: a form, a JSON object or `multipart/form-data`, not
    /// larger than 8 KiB or [another limit](Self::body_limit).
    #[must_use]
    pub fn in_body(mut self, allowed: bool) -> Self {
        self.policy.places.body = allowed;
        self
    }

    /// The largest body, in bytes, that is searched for a key.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.policy.body_limit = bytes;
        self
    }

    /// Whether the key is removed from the request before it goes on.
    #[must_use]
    pub fn hide_credentials(mut self, hide: bool) -> Self {
        self.policy.hide = hide;
        self
    }

    /// The consumer (id or user name) that requests without a valid key go on as.
    #[must_use]
    pub fn anonymous(mut self, id_or_username: impl Into<String>) -> Self {
        self.policy.anonymous = Anonymous::new(Some(id_or_username.into()));
        self
    }

    /// Whether `OPTIONS` requests need a key too (they do unless told otherwise).
    #[must_use]
    pub fn run_on_preflight(mut self, run: bool) -> Self {
        self.policy.on_preflight = run;
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

impl<S> Layer<S> for KeyAuthLayer {
    type Service = GuardService<S, One<KeyAuth>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}
