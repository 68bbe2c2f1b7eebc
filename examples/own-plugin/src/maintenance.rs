//! The plugin `maintenance`: nobody is served for now, except those who know a word.

use http::{HeaderName, StatusCode, header, request::Parts};
use serde::{Deserialize, Serialize};
use towergate_core::{Context, Env, Guard, Plugin, PluginError, Reply, Verdict};
use towergate_schema::Schema;

/// What an operator writes.
#[derive(Debug, Clone, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct MaintenanceConfig {
    /// What clients are told.
    #[schema(required, default = "Down for maintenance")]
    pub message: String,
    /// When they may come again, in seconds.
    #[schema(required, default = 300, between(1, 86400))]
    pub retry_after: u32,
    /// The header in which testers send the word.
    #[schema(required, default = "X-Tester")]
    pub header: String,
    /// The word that lets a request through; without one nobody is let through.
    pub word: Option<String>,
}

impl Default for MaintenanceConfig {
    fn default() -> Self {
        Self { message: "Down for maintenance".into(), retry_after: 300, header: "X-Tester".into(), word: None }
    }
}

/// What it does.
#[derive(Debug)]
pub struct Maintenance {
    config: MaintenanceConfig,
    header: HeaderName,
}

impl Plugin for Maintenance {
    const NAME: &'static str = "maintenance";
    /// After correlation-id (100001), so that refusals have an id, and before everything else.
    const PRIORITY: i32 = 50_000;
    type Config = MaintenanceConfig;

    fn new(config: MaintenanceConfig, _: &Env) -> Result<Self, PluginError> {
        let header = config.header.parse().map_err(|_| PluginError::new("header", "not the name of a header"))?;
        Ok(Self { config, header })
    }
}

impl Guard for Maintenance {
    fn check(&self, _: &Context, head: &mut Parts) -> Verdict {
        // Taken away, so that the service does not get to see the word.
        let said = head.headers.remove(&self.header);
        match (&self.config.word, said) {
            (Some(word), Some(said)) if said == word.as_str() => Verdict::Pass,
            _ => Verdict::Refuse(
                Reply::exit(StatusCode::SERVICE_UNAVAILABLE, self.config.message.clone())
                    .with_header(header::RETRY_AFTER, self.config.retry_after.into()),
            ),
        }
    }
}
