//! Kong's plugin `response-ratelimiting`.

mod config;
mod costs;
mod layer;
mod policy;

pub use config::{PeriodLimits, ResponseRatelimitingConfig};
pub use layer::{ResponseRateLimitFuture, ResponseRateLimitLayer, ResponseRateLimitService};
pub use policy::ResponseRatelimiting;
