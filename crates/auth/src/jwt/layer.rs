//! The layer for a service of one's own.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use tower_layer::Layer;
use towergate_core::{Accounts, Directory, GuardLayer, GuardService, One};

use super::policy::Jwt;
use crate::{anonymous::Anonymous, bearer::Challenges, jose::Registered, per_worker::PerWorker};

/// Finds out by a signed token who a request is from: the layer.
///
/// The claims stand in the request's extensions then, as [`VerifiedClaims`](crate::VerifiedClaims).
#[derive(Debug, Clone)]
pub struct JwtLayer {
    policy: Jwt,
}

impl JwtLayer {
    /// Looks keys up in this directory, under [`Jwt::CREDENTIALS`], with Kong's defaults: the token in
    /// the header `Authorization` or the query argument `jwt`, its key named by `iss`. Times are not
    /// checked unless asked for.
    pub fn new(accounts: Arc<Directory>) -> Self {
        Self::from_policy(Jwt::with_defaults(), accounts)
    }

    /// A policy made of a configuration, with its own directory.
    pub fn from_policy(mut policy: Jwt, accounts: Arc<Directory>) -> Self {
        policy.accounts = Accounts::own(accounts);
        Self { policy }
    }

    /// The headers a token is looked for in, after `Bearer`.
    #[must_use]
    pub fn headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.policy.places.headers = names.into_iter().collect();
        self
    }

    /// The query arguments a token is looked for in.
    #[must_use]
    pub fn query_arguments(mut self, names: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.policy.places.arguments = names.into_iter().map(Into::into).collect();
        self
    }

    /// The cookies a token is looked for in.
    #[must_use]
    pub fn cookies(mut self, names: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        self.policy.places.cookies = names.into_iter().map(Into::into).collect();
        self
    }

    /// The claim (or member of the header) that names a token's key.
    #[must_use]
    pub fn key_claim(mut self, name: impl Into<Box<str>>) -> Self {
        self.policy.key_claim = name.into();
        self
    }

    /// Whether the secrets in the directory are written in base64.
    #[must_use]
    pub fn secrets_in_base64(mut self, are: bool) -> Self {
        self.policy.secret_is_base64 = are;
        self
    }

    /// Takes only tokens with an end (`exp`), until it is there.
    #[must_use]
    pub fn require_expiration(self) -> Self {
        self.check(Registered::Expires)
    }

    /// Takes only tokens with a beginning (`nbf`), once it is there.
    #[must_use]
    pub fn require_not_before(self) -> Self {
        self.check(Registered::NotBefore)
    }

    fn check(mut self, time: Registered) -> Self {
        if !self.policy.times.contains(&time) {
            self.policy.times.push(time);
        }
        self
    }

    /// For how long from now a token may be valid at most.
    #[must_use]
    pub fn maximum_expiration(mut self, limit: Duration) -> Self {
        self.policy.maximum_expiration = limit.as_secs_f64();
        self
    }

    /// The consumer (id or user name) that requests without a good token go on as.
    #[must_use]
    pub fn anonymous(mut self, id_or_username: impl Into<String>) -> Self {
        self.policy.anonymous = Anonymous::new(Some(id_or_username.into()));
        self
    }

    /// Whether `OPTIONS` requests need a token too (they do unless told otherwise).
    #[must_use]
    pub fn run_on_preflight(mut self, run: bool) -> Self {
        self.policy.on_preflight = run;
        self
    }

    /// The largest token, in bytes, that is looked at (8 KiB unless told otherwise).
    #[must_use]
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.policy.max_token_bytes = bytes;
        self
    }

    /// For how many bytes of tokens each thread remembers what it found (1 MiB unless told otherwise);
    /// with 0 each token is checked each time.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.policy.verified = PerWorker::new(bytes);
        self
    }

    /// The realm that a refusal names.
    #[must_use]
    pub fn realm(mut self, realm: &HeaderValue) -> Self {
        if let Some(challenges) = Challenges::of_realm(realm.as_bytes()) {
            self.policy.challenges = challenges;
        }
        self
    }
}

impl<S> Layer<S> for JwtLayer {
    type Service = GuardService<S, One<Jwt>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}
