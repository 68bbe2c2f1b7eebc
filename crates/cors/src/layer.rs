//! The layer for a service of one's own.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use tower_layer::Layer;
use towergate_core::{GuardLayer, GuardService, One, PerWorker, PluginError};

use crate::{origins::Origins, policy::Cors};

/// Tells browsers which pages may read a service's responses: the layer.
#[derive(Debug, Clone, Default)]
pub struct CorsLayer {
    policy: Cors,
}

impl CorsLayer {
    /// With Kong's defaults: any origin, no credentials, all methods, the headers a page asks for.
    pub fn new() -> Self {
        Self::default()
    }

    /// The origins that may read responses: plain, regular expressions, or `*`.
    ///
    /// # Errors
    /// An entry that is not a regular expression, with its place (`origins[1]`).
    pub fn origins<T: AsRef<str>>(mut self, origins: impl IntoIterator<Item = T>) -> Result<Self, PluginError> {
        let origins: Vec<_> = origins.into_iter().collect();
        self.policy.origins = Origins::new(&origins)
            .map_err(|(index, message)| PluginError::new(format!("origins[{index}]"), message))?;
        Ok(self)
    }

    /// The request headers a page may send, instead of all it asks for.
    #[must_use]
    pub fn headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.policy.headers = joined(names);
        self
    }

    /// The response headers a page may read, beyond those that browsers always show.
    #[must_use]
    pub fn exposed_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.policy.exposed_headers = joined(names).map(PerWorker::value);
        self
    }

    /// The methods a page may use, instead of all.
    #[must_use]
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.policy.methods = joined(methods).unwrap_or(HeaderValue::from_static(""));
        self
    }

    /// How long a browser may remember the answer to a preflight (whole seconds).
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.policy.max_age = Some(HeaderValue::from(age.as_secs()));
        self
    }

    /// Whether pages may send cookies and other credentials.
    #[must_use]
    pub fn credentials(mut self, allowed: bool) -> Self {
        self.policy.credentials = allowed;
        self
    }

    /// Whether public pages may reach private networks.
    #[must_use]
    pub fn private_network(mut self, allowed: bool) -> Self {
        self.policy.private_network = allowed;
        self
    }

    /// Whether preflights are passed on to the service instead of being answered here.
    #[must_use]
    pub fn preflight_continue(mut self, passed_on: bool) -> Self {
        self.policy.preflight_continue = passed_on;
        self
    }

    /// Whether responses to requests without `Origin` get the headers too (they do unless told otherwise).
    #[must_use]
    pub fn allow_origin_absent(mut self, allowed: bool) -> Self {
        self.policy.allow_origin_absent = allowed;
        self
    }
}

/// The names with commas between them; `None` if there are none.
fn joined<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Option<HeaderValue> {
    let names: Vec<T> = names.into_iter().collect();
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    // Names of headers and methods are always good in a value.
    HeaderValue::try_from(names.join(",")).ok().filter(|names| !names.is_empty())
}

impl From<Cors> for CorsLayer {
    fn from(policy: Cors) -> Self {
        Self { policy }
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = GuardService<S, One<Cors>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}
