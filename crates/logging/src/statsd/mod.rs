//! Numbers of requests to a StatsD server.

mod config;
mod line;
mod metrics;
mod plugin;

pub use self::{
    config::{MetricConfig, StatsdConfig},
    plugin::Statsd,
};
pub(crate) use self::{line::kind, metrics::Facts};
