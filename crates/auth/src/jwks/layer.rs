//! The layer for a service of one's own.

use std::{future::Future, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use tower_layer::Layer;
use towergate_core::{Accounts, Directory, Env, GuardLayer, GuardService, One, Plugin, PluginError};

use super::{config::JwksAuthConfig, policy::JwksAuth};
use crate::{anonymous::Anonymous, bearer::Challenges, jose::Algorithm};

/// Finds out by a token of an issuer who a request is from: the layer.
///
/// The claims stand in the request's extensions then, as [`VerifiedClaims`](crate::VerifiedClaims).
#[derive(Debug, Clone)]
pub struct JwksLayer {
    config: JwksAuthConfig,
    policy: JwksAuth,
}

impl JwksLayer {
    /// Takes tokens of this issuer (`iss`) for this audience (`aud`), signed with RS256, ES256 or EdDSA
    /// by a key that is published at this URL. The token stands in the header `Authorization`.
    ///
    /// # Errors
    /// The URL is none.
    pub fn new(
        jwks_uri: impl Into<String>,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Result<Self, PluginError> {
        Self::of(JwksAuthConfig {
            jwks_uri: jwks_uri.into(),
            issuers: vec![issuer.into()],
            audiences: vec![audience.into()],
            algorithms: [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA].map(|it| it.name().to_owned()).into(),
            ..JwksAuthConfig::default()
        })
    }

    /// A policy made of a configuration, with its own directory of consumers.
    ///
    /// # Errors
    /// What in the configuration is wrong.
    pub fn from_config(config: JwksAuthConfig, accounts: Arc<Directory>) -> Result<Self, PluginError> {
        Self::of(config).map(|layer| layer.accounts(accounts))
    }

    fn of(config: JwksAuthConfig) -> Result<Self, PluginError> {
        let policy = JwksAuth::new(config.clone(), &Env::default())?;
        Ok(Self { config, policy })
    }

    /// The policy anew, after something that it is made of has changed. What it was made of before
    /// was good, and what changed cannot make it bad.
    fn remade(mut self) -> Self {
        if let Ok(policy) = JwksAuth::new(self.config.clone(), &Env::default()) {
            self.policy = JwksAuth { accounts: self.policy.accounts, ..policy };
        }
        self
    }

    /// Work that keeps the keys fresh, to be spawned. Without it they are fetched when a token comes
    /// that needs them, and again in passing when they have become old.
    pub fn keep_fresh(&self) -> impl Future<Output = ()> + Send + use<> {
        self.policy.keys.clone().keep_fresh()
    }

    /// One more issuer.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.config.issuers.push(issuer.into());
        self.remade()
    }

    /// One more audience.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.config.audiences.push(audience.into());
        self.remade()
    }

    /// How tokens may be signed. Algorithms with a secret are left out.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let public = algorithms.into_iter().filter(|algorithm| !algorithm.is_symmetric());
        self.config.algorithms = public.map(|algorithm| algorithm.name().to_owned()).collect();
        self.remade()
    }

    /// The headers a token is looked for in, after `Bearer`.
    #[must_use]
    pub fn headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.config.header_names = names.into_iter().map(|name| name.as_str().to_owned()).collect();
        self.remade()
    }

    /// The query arguments a token is looked for in.
    #[must_use]
    pub fn query_arguments(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.uri_param_names = names.into_iter().map(Into::into).collect();
        self.remade()
    }

    /// The cookies a token is looked for in.
    #[must_use]
    pub fn cookies(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.cookie_names = names.into_iter().map(Into::into).collect();
        self.remade()
    }

    /// The consumers.
    #[must_use]
    pub fn accounts(mut self, accounts: Arc<Directory>) -> Self {
        self.policy.accounts = Accounts::own(accounts);
        self
    }

    /// The claim that names the consumer, by user name or by custom id. A token whose consumer is not
    /// there is refused.
    #[must_use]
    pub fn consumer_claim(mut self, claim: impl Into<String>) -> Self {
        self.config.consumer_claim = Some(claim.into());
        self.remade()
    }

    /// The claim that names the groups: a list of texts, or a text with blanks between them.
    #[must_use]
    pub fn groups_claim(mut self, claim: impl Into<String>) -> Self {
        self.config.authenticated_groups_claim = Some(claim.into());
        self.remade()
    }

    /// The consumer (id or user name) that requests without a good token go on as.
    #[must_use]
    pub fn anonymous(mut self, id_or_username: impl Into<String>) -> Self {
        let name = id_or_username.into();
        self.config.anonymous = Some(name.clone());
        self.policy.anonymous = Anonymous::new(Some(name));
        self
    }

    /// Whether `OPTIONS` requests need a token too (they do unless told otherwise).
    #[must_use]
    pub fn run_on_preflight(mut self, run: bool) -> Self {
        self.config.run_on_preflight = run;
        self.policy.on_preflight = run;
        self
    }

    /// By how much the issuer's clock may differ from ours, in whole seconds (0 unless told otherwise).
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.config.leeway = leeway.as_secs();
        self.remade()
    }

    /// How old keys may become, in whole seconds (300 unless told otherwise).
    #[must_use]
    pub fn refresh_interval(mut self, interval: Duration) -> Self {
        self.config.refresh_interval = interval.as_secs().max(1);
        self.remade()
    }

    /// How long to wait at least between two fetches because of a key that is not known, in whole
    /// seconds (10 unless told otherwise).
    #[must_use]
    pub fn cooldown(mut self, cooldown: Duration) -> Self {
        self.config.cooldown = cooldown.as_secs().max(1);
        self.remade()
    }

    /// The realm that a refusal names.
    #[must_use]
    pub fn realm(mut self, realm: &HeaderValue) -> Self {
        if let Some(challenges) = Challenges::of_realm(realm.as_bytes()) {
            self.config.realm = std::str::from_utf8(realm.as_bytes()).ok().map(str::to_owned);
            self.policy.challenges = challenges;
        }
        self
    }
}

impl<S> Layer<S> for JwksLayer {
    type Service = GuardService<S, One<JwksAuth>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}
