//! The declarative configuration: the first one, and the ones that follow.

use towergate_config::{Config, parse};
use towergate_runtime::{Control, report_load};

use crate::{
    plugins::{PluginSet, registry},
    sources::Sources,
};

/// The configuration a gateway starts with.
pub(crate) struct First {
    pub(crate) config: Config,
    /// What loads but will not work, a line each.
    pub(crate) warnings: Vec<String>,
}

/// Reads the configuration a gateway starts with; an empty one if none is set.
///
/// # Errors
/// Every problem, with its place and the lines around it.
pub(crate) fn first(plugins: &impl PluginSet, sources: &Sources) -> Result<First, String> {
    let Some(declarative) = sources.declarative()? else {
        return Ok(First { config: Config::empty(), warnings: Vec::new() });
    };
    let loaded = parse(declarative, &registry(plugins, &sources.settings)).map_err(|report| report.to_string())?;
    Ok(First { config: loaded.config, warnings: loaded.warnings.iter().map(ToString::to_string).collect() })
}

/// Reads the declarative configuration again.
///
/// # Errors
/// What is wrong with a broken one, which is logged, too; the old one stays.
pub(crate) fn reload(sources: &Sources, control: &Control) -> Result<(), String> {
    let loaded = match sources.declarative() {
        Ok(Some(texts)) => control.load(texts).map_err(|error| error.to_string()),
        Ok(None) => return Ok(()),
        Err(error) => {
            report_load(false);
            Err(error)
        }
    };
    match loaded {
        Ok((runtime, warnings)) => {
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            tracing::info!(hash = %runtime.config.hash, "configuration reloaded");
            Ok(())
        }
        Err(error) => {
            tracing::error!("configuration not reloaded, the one before stays in force: {error}");
            Err(format!("configuration not reloaded, the one before stays in force:\n{error}"))
        }
    }
}
