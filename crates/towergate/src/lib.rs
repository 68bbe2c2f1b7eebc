// The example on its page takes these.
#![cfg_attr(
    all(feature = "auth", feature = "axum", feature = "correlation", feature = "ratelimit"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "auth", feature = "axum", feature = "correlation", feature = "ratelimit")),
    doc = "An API gateway's concerns as tower layers for a service of your own, one cargo feature for each."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod prelude;

pub use towergate_core as core;

#[cfg(feature = "auth")]
#[doc(no_inline)]
pub use towergate_auth as auth;
#[cfg(feature = "axum")]
#[doc(no_inline)]
pub use towergate_axum as axum;
#[cfg(feature = "bot-detection")]
#[doc(no_inline)]
pub use towergate_bot_detection as bot_detection;
#[cfg(feature = "circuit-breaker")]
#[doc(no_inline)]
pub use towergate_circuit_breaker as circuit_breaker;
#[cfg(feature = "compression")]
#[doc(no_inline)]
pub use towergate_compression as compression;
#[cfg(feature = "correlation")]
#[doc(no_inline)]
pub use towergate_correlation as correlation;
#[cfg(feature = "cors")]
#[doc(no_inline)]
pub use towergate_cors as cors;
#[cfg(feature = "ip-restriction")]
#[doc(no_inline)]
pub use towergate_ip_restriction as ip_restriction;
#[cfg(feature = "lb")]
#[doc(no_inline)]
pub use towergate_lb as lb;
#[cfg(feature = "logging")]
#[doc(no_inline)]
pub use towergate_logging as logging;
#[cfg(feature = "metrics")]
#[doc(no_inline)]
pub use towergate_metrics as metrics;
#[cfg(feature = "queue")]
#[doc(no_inline)]
pub use towergate_queue as queue;
#[cfg(feature = "ratelimit")]
#[doc(no_inline)]
pub use towergate_ratelimit as ratelimit;
#[cfg(feature = "redirect")]
#[doc(no_inline)]
pub use towergate_redirect as redirect;
#[cfg(feature = "request-size-limiting")]
#[doc(no_inline)]
pub use towergate_request_size_limiting as request_size_limiting;
#[cfg(feature = "request-termination")]
#[doc(no_inline)]
pub use towergate_request_termination as request_termination;
#[cfg(feature = "retry")]
#[doc(no_inline)]
pub use towergate_retry as retry;
#[cfg(feature = "router")]
#[doc(no_inline)]
pub use towergate_router as router;
#[cfg(feature = "tracing")]
#[doc(no_inline)]
pub use towergate_tracing as tracing;
#[cfg(feature = "traffic-split")]
#[doc(no_inline)]
pub use towergate_traffic_split as traffic_split;
