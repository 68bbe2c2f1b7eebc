//! The layers and what is needed with them, of all features that are on.
//!
//! ```
//! use towergate::prelude::*;
//! ```

#[doc(no_inline)]
pub use towergate_core::{Consumer, Context, Directory, Guard, GuardLayer, Reply, Verdict};

#[cfg(feature = "auth-basic")]
#[doc(no_inline)]
pub use towergate_auth::BasicAuthLayer;
#[cfg(feature = "auth-hmac")]
#[doc(no_inline)]
pub use towergate_auth::HmacAuthLayer;
#[cfg(feature = "auth-jwks")]
#[doc(no_inline)]
pub use towergate_auth::JwksLayer;
#[cfg(feature = "auth-mtls")]
#[doc(no_inline)]
pub use towergate_auth::MtlsLayer;
#[cfg(feature = "auth")]
#[doc(no_inline)]
pub use towergate_auth::{AclLayer, KeyAuthLayer};
#[cfg(feature = "auth-jwt")]
#[doc(no_inline)]
pub use towergate_auth::{JwtKey, JwtLayer};
#[cfg(feature = "axum")]
#[doc(no_inline)]
pub use towergate_axum::{Caller, ClientLayer, matched_path};
#[cfg(feature = "bot-detection")]
#[doc(no_inline)]
pub use towergate_bot_detection::BotDetectionLayer;
#[cfg(feature = "circuit-breaker")]
#[doc(no_inline)]
pub use towergate_circuit_breaker::CircuitBreakerLayer;
#[cfg(feature = "compression")]
#[doc(no_inline)]
pub use towergate_compression::{Coding, CompressionLayer};
#[cfg(feature = "logging")]
#[doc(no_inline)]
pub use towergate_core::ObserveLayer;
#[cfg(feature = "correlation")]
#[doc(no_inline)]
pub use towergate_correlation::{CorrelationIdLayer, Generator};
#[cfg(feature = "cors")]
#[doc(no_inline)]
pub use towergate_cors::CorsLayer;
#[cfg(feature = "ip-restriction")]
#[doc(no_inline)]
pub use towergate_ip_restriction::IpRestrictionLayer;
#[cfg(feature = "lb")]
#[doc(no_inline)]
pub use towergate_lb::{Balance, ConsistentHash, LeastConnections, PeakEwma, Pick, RoundRobin, TwoChoices};
#[cfg(feature = "logging")]
#[doc(no_inline)]
pub use towergate_logging::{AccessLog, FileLog, Format, Writer};
#[cfg(feature = "metrics")]
#[doc(no_inline)]
pub use towergate_metrics::{HttpMetrics, MetricsLayer};
#[cfg(feature = "ratelimit")]
#[doc(no_inline)]
pub use towergate_ratelimit::{Key, Quota, RateLimitLayer};
#[cfg(feature = "redirect")]
#[doc(no_inline)]
pub use towergate_redirect::RedirectLayer;
#[cfg(feature = "request-size-limiting")]
#[doc(no_inline)]
pub use towergate_request_size_limiting::RequestSizeLimitingLayer;
#[cfg(feature = "request-termination")]
#[doc(no_inline)]
pub use towergate_request_termination::RequestTerminationLayer;
#[cfg(feature = "retry")]
#[doc(no_inline)]
pub use towergate_retry::RetryLayer;
#[cfg(feature = "tracing")]
#[doc(no_inline)]
pub use towergate_tracing::{OtlpExporter, TraceLayer};
#[cfg(feature = "traffic-split")]
#[doc(no_inline)]
pub use towergate_traffic_split::SplitLayer;
