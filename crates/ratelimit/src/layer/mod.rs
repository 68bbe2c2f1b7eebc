//! The layer for a service of one's own.

mod key;
mod quota;
#[cfg(feature = "token-bucket")]
mod token_bucket;

use std::sync::Arc;

use http::{StatusCode, request::Parts};
use tower_layer::Layer;
use towergate_core::{Context, Guard, GuardLayer, GuardService, One, Responding, Verdict};

pub use key::Key;
pub use quota::Quota;
#[cfg(feature = "token-bucket")]
pub use token_bucket::{Drawn, TokenBucket};

use crate::{
    headers::HeaderStyle,
    limiter::{Limiter, Rule},
    local::Local,
    store::Store,
    window::{Window, WindowType},
};

/// Limits how many requests a service gets: the layer.
///
/// Unless told otherwise it counts by the client's address, in memory, with Kong's headers, and
/// refuses with 429 `API rate limit exceeded` in the form the client accepts. Clones count together.
#[derive(Debug, Clone)]
pub struct RateLimitLayer {
    key: Key,
    rule: Rule,
    algorithm: Algorithm,
}

/// How requests are counted.
#[derive(Debug, Clone)]
enum Algorithm {
    Windows(Arc<dyn Store>),
    #[cfg(feature = "token-bucket")]
    TokenBucket(Arc<TokenBucket>),
}

impl RateLimitLayer {
    /// Fixed windows: each begins at a multiple of its length since 1970, and counting with it.
    pub fn fixed(quotas: impl IntoIterator<Item = Quota>) -> Self {
        Self::windows(quotas, WindowType::Fixed)
    }

    /// Sliding windows: of the window before, the part counts that is not older than the length.
    pub fn sliding(quotas: impl IntoIterator<Item = Quota>) -> Self {
        Self::windows(quotas, WindowType::Sliding)
    }

    fn windows(quotas: impl IntoIterator<Item = Quota>, kind: WindowType) -> Self {
        let mut quotas: Vec<_> = quotas.into_iter().collect();
        quotas.sort_by_key(|quota| quota.time);
        let window = |quota: Quota| Window::every(quota.time, kind, f64::from(quota.requests.get()));
        let rule = Rule::new(quotas.into_iter().map(window).collect());
        Self { key: Key::client_address(), rule, algorithm: Algorithm::Windows(Arc::new(Local::new())) }
    }

    /// A token bucket (the generic cell rate algorithm, by the crate `governor`): requests come at a
    /// steady rate, and in bursts of up to so many.
    #[cfg(feature = "token-bucket")]
    pub fn token_bucket(quota: Quota) -> Self {
        let bucket = Arc::new(TokenBucket::new(quota));
        Self { key: Key::client_address(), rule: Rule::new(Vec::new()), algorithm: Algorithm::TokenBucket(bucket) }
    }

    /// Whose requests count together.
    #[must_use]
    pub fn by(mut self, key: Key) -> Self {
        self.key = key;
        self
    }

    /// Which headers tell a client about its limits.
    #[must_use]
    pub fn headers(mut self, style: HeaderStyle) -> Self {
        self.rule.style = style;
        self
    }

    /// The status of a refusal, instead of 429.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.rule.status = status;
        self
    }

    /// The message of a refusal.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.rule.message = message.into();
        self
    }

    /// Whether windows count refused requests, too. A client that does not pause then stays refused
    /// where they slide.
    #[must_use]
    pub fn count_refused(mut self, counted: bool) -> Self {
        self.rule.penalty = counted;
        self
    }

    /// Where windows are counted, instead of in memory. A token bucket stays in memory.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        match &mut self.algorithm {
            Algorithm::Windows(own) => *own = store,
            #[cfg(feature = "token-bucket")]
            Algorithm::TokenBucket(_) => {}
        }
        self
    }

    /// Whether a request passes without a limit when the store does not answer (it does unless told
    /// otherwise), or is refused with 500.
    #[must_use]
    pub fn fault_tolerant(mut self, passes: bool) -> Self {
        self.rule.fault_tolerant = passes;
        self
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = GuardService<S, One<RateLimit>>;

    fn layer(&self, inner: S) -> Self::Service {
        let (source, rule) = (self.key.0.clone(), self.rule.clone());
        let checked = match &self.algorithm {
            Algorithm::Windows(store) => Checked::Windows(Box::new(Limiter::new(source, rule, store.clone()))),
            #[cfg(feature = "token-bucket")]
            Algorithm::TokenBucket(bucket) => Checked::TokenBucket(source, bucket.clone(), rule),
        };
        GuardLayer::new(RateLimit { checked }).layer(inner)
    }
}

/// Limits how many requests a service gets: the guard inside a [`RateLimitLayer`].
#[derive(Debug)]
pub struct RateLimit {
    checked: Checked,
}

#[derive(Debug)]
enum Checked {
    Windows(Box<Limiter>),
    #[cfg(feature = "token-bucket")]
    TokenBucket(crate::identifier::Source, Arc<TokenBucket>, Rule),
}

impl Guard for RateLimit {
    fn response(&self) -> Responding {
        Responding::Never
    }

    fn check(&self, cx: &Context, head: &mut Parts) -> Verdict {
        match &self.checked {
            Checked::Windows(limiter) => limiter.check(cx, head),
            #[cfg(feature = "token-bucket")]
            Checked::TokenBucket(source, bucket, rule) => match source.identify(cx, head) {
                Some(identifier) => bucket.judge(&identifier, rule, cx),
                None => Verdict::Pass,
            },
        }
    }
}
