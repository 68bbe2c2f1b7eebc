//! Numbers of requests to a StatsD server.

mod config;
mod line;
mod metrics;
mod plugin;

pub(crate) use self::{config::consumer_identifier, line::kind, metrics::Facts};
pub use self::{
    config::{MetricConfig, StatsdConfig},
    plugin::Statsd,
};
