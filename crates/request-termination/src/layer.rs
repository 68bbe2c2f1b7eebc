//! The layer for a service of one's own.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use tower_layer::Layer;
use towergate_core::{GuardLayer, GuardService, One, PluginError};

use crate::{
    answer::Answer,
    policy::{RequestTermination, Trigger},
};

/// Answers requests instead of the service: the layer.
#[derive(Debug, Clone)]
pub struct RequestTerminationLayer {
    policy: RequestTermination,
}

impl RequestTerminationLayer {
    /// Answers everything with 503, `{"message":"Service unavailable"}`.
    pub fn new() -> Self {
        Self { policy: RequestTermination::unavailable() }
    }

    /// The status, instead of 503.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.policy.status = status;
        self
    }

    /// What the answer says, in `{"message":"…"}`; a body given before is forgotten.
    #[must_use]
    pub fn message(mut self, message: impl Into<Arc<str>>) -> Self {
        self.policy.answer = Answer::Message(message.into());
        self
    }

    /// The answer's body and its type; a message given before is forgotten.
    #[must_use]
    pub fn body(mut self, content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        self.policy.answer = Answer::Body { content_type: Some(content_type), body: body.into() };
        self
    }

    /// Whether the answer tells what arrived, instead of a body.
    #[must_use]
    pub fn echo(mut self, echo: bool) -> Self {
        self.policy.echo = echo;
        self
    }

    /// A header or query argument: only requests that have it are answered here.
    ///
    /// # Errors
    /// A name that no header can have.
    pub fn trigger(mut self, name: &str) -> Result<Self, PluginError> {
        self.policy.trigger = Some(Trigger::new(name)?);
        Ok(self)
    }
}

impl Default for RequestTerminationLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl From<RequestTermination> for RequestTerminationLayer {
    fn from(policy: RequestTermination) -> Self {
        Self { policy }
    }
}

impl<S> Layer<S> for RequestTerminationLayer {
    type Service = GuardService<S, One<RequestTermination>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}
