#![doc = include_str!("../README.md")]
#![allow(clippy::duplicated_attributes, reason = "two conditions of a schema may have parts in common")]

mod backend;
mod configured;
mod headers;
mod identifier;
mod layer;
mod limiter;
mod local;
mod period;
mod rate_limiting;
mod rate_limiting_advanced;
mod redis;
mod response_ratelimiting;
mod store;
mod window;

pub use headers::HeaderStyle;
pub use identifier::Identifier;
#[cfg(feature = "token-bucket")]
pub use layer::{Drawn, TokenBucket};
pub use layer::{Key, Quota, RateLimit, RateLimitLayer};
pub use local::Local;
pub use period::Period;
pub use rate_limiting::{RateLimiting, RateLimitingConfig};
pub use rate_limiting_advanced::{RateLimitingAdvanced, RateLimitingAdvancedConfig};
#[cfg(feature = "redis")]
pub use redis::RedisStore;
pub use redis::{AdvancedRedisConfig, ClusterNode, RedisConfig, SentinelNode};
pub use response_ratelimiting::{
    PeriodLimits, ResponseRateLimitFuture, ResponseRateLimitLayer, ResponseRateLimitService, ResponseRatelimiting,
    ResponseRatelimitingConfig,
};
pub use store::{Cells, Count, Counted, Counting, Store, StoreError};
pub use window::{Cell, Span, Window, WindowType};
