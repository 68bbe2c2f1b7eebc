//! Counters in Redis, shared by all nodes of a gateway.

mod config;

pub use config::RedisConfig;

/// How to reach Redis.
#[derive(Debug, Clone)]
pub(crate) struct Settings;

impl RedisConfig {
    pub(crate) fn settings(&self) -> Result<Settings, towergate_core::PluginError> {
        Ok(Settings)
    }
}
