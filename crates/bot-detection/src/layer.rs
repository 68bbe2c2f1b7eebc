//! The layer for a service of one's own.

use tower_layer::Layer;
use towergate_core::{GuardLayer, GuardService, One, PluginError};

use crate::{patterns::automaton, policy::BotDetection};

/// Refuses requests of bots: the layer.
#[derive(Debug, Clone, Default)]
pub struct BotDetectionLayer {
    policy: BotDetection,
}

impl BotDetectionLayer {
    /// Refuses the bots of Kong's list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Regular expressions: a `User-Agent` in which one is found passes.
    ///
    /// # Errors
    /// An entry that is not a regular expression, with its place (`allow[1]`).
    pub fn allow<T: AsRef<str>>(mut self, patterns: impl IntoIterator<Item = T>) -> Result<Self, PluginError> {
        self.policy.allow = automaton("allow", &patterns.into_iter().collect::<Vec<_>>())?;
        Ok(self)
    }

    /// Regular expressions: a `User-Agent` in which one is found, and none of those allowed, is refused.
    ///
    /// # Errors
    /// An entry that is not a regular expression, with its place (`deny[1]`).
    pub fn deny<T: AsRef<str>>(mut self, patterns: impl IntoIterator<Item = T>) -> Result<Self, PluginError> {
        self.policy.deny = automaton("deny", &patterns.into_iter().collect::<Vec<_>>())?;
        Ok(self)
    }
}

impl From<BotDetection> for BotDetectionLayer {
    fn from(policy: BotDetection) -> Self {
        Self { policy }
    }
}

impl<S> Layer<S> for BotDetectionLayer {
    type Service = GuardService<S, One<BotDetection>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}
