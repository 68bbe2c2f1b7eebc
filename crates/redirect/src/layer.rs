//! The layer for a service of one's own.

use http::{HeaderValue, StatusCode};
use tower_layer::Layer;
use towergate_core::{GuardLayer, GuardService, One, PluginError};

use crate::{
    location::Location,
    policy::{Redirect, parse, value},
};

/// Sends clients somewhere else: the layer.
#[derive(Debug, Clone)]
pub struct RedirectLayer {
    status: StatusCode,
    location: HeaderValue,
    base: Location,
    keeps: bool,
}

impl RedirectLayer {
    /// Sends clients to this URL, with the status 301.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn to(location: &str) -> Result<Self, PluginError> {
        let (base, location) = (parse(location)?, value(location)?);
        Ok(Self { status: StatusCode::MOVED_PERMANENTLY, location, base, keeps: false })
    }

    /// The status, instead of 301.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Whether the request's path and query take the place of those of the URL.
    #[must_use]
    pub fn keep_incoming_path(mut self, kept: bool) -> Self {
        self.keeps = kept;
        self
    }
}

impl<S> Layer<S> for RedirectLayer {
    type Service = GuardService<S, One<Redirect>>;

    fn layer(&self, inner: S) -> Self::Service {
        let base = self.keeps.then(|| self.base.clone());
        let policy = Redirect { status: self.status, location: self.location.clone(), base };
        GuardLayer::new(policy).layer(inner)
    }
}
