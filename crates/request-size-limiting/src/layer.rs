//! The layer for a service of one's own.

use tower_layer::Layer;
use towergate_core::{GuardLayer, GuardService, One};

use crate::policy::RequestSizeLimiting;

/// Refuses requests whose body is too large: the layer.
#[derive(Debug, Clone)]
pub struct RequestSizeLimitingLayer {
    policy: RequestSizeLimiting,
}

impl RequestSizeLimitingLayer {
    /// Bodies of up to so many bytes pass.
    pub fn new(max_bytes: u64) -> Self {
        Self { policy: RequestSizeLimiting { max_bytes, require_content_length: false } }
    }

    /// Whether a request must say how large its body is, unless it comes in chunks. Then one without
    /// a body, too, needs `Content-Length: 0`.
    #[must_use]
    pub fn require_content_length(mut self, required: bool) -> Self {
        self.policy.require_content_length = required;
        self
    }
}

impl From<RequestSizeLimiting> for RequestSizeLimitingLayer {
    fn from(policy: RequestSizeLimiting) -> Self {
        Self { policy }
    }
}

impl<S> Layer<S> for RequestSizeLimitingLayer {
    type Service = GuardService<S, One<RequestSizeLimiting>>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardLayer::new(self.policy.clone()).layer(inner)
    }
}
