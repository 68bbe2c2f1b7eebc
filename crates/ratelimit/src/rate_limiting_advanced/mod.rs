//! Kong Enterprise's plugin `rate-limiting-advanced`.

mod config;
mod policy;

pub use config::RateLimitingAdvancedConfig;
pub use policy::RateLimitingAdvanced;
