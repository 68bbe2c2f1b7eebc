//! Kong's plugin `rate-limiting`.

pub(crate) mod config;
mod policy;

pub use config::RateLimitingConfig;
pub use policy::RateLimiting;
