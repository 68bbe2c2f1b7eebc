//! Kong's `opentelemetry` plugin.

mod config;
mod policy;
mod spans;

pub(crate) use self::policy::milliseconds;
pub use self::{
    config::OpenTelemetryConfig,
    policy::{OpenTelemetry, OpenTelemetryTracer, TracedRequest},
};
