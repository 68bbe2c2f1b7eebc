//! The configuration: the first one, and the ones that follow.

use std::sync::Arc;

use towergate_admin::{Configured, configuration, each};
use towergate_config::{Config, Loaded, parse, settings::Database};
use towergate_runtime::{Control, report_load};
use towergate_store::{LastGood, Store, Version};

use crate::{
    last_good,
    plugins::{PluginSet, registry},
    sources::Sources,
    store::Opened,
};

/// The configuration a gateway starts with.
pub(crate) struct First {
    pub(crate) config: Config,
    /// What loads but will not work, a line each.
    pub(crate) warnings: Vec<String>,
    store: Arc<dyn Store>,
    version: Version,
    /// Whether the store has it already.
    is_kept: bool,
    copy: Option<LastGood>,
}

/// Reads the configuration a gateway starts with: the declarative one, or what the store has.
///
/// # Errors
/// Every problem, with its place and the lines around it; or the store's.
pub(crate) async fn first(plugins: &impl PluginSet, sources: &Sources, opened: Opened) -> Result<First, String> {
    let registry = registry(plugins, &sources.settings);
    let Opened { store, instead, copy } = opened;
    let snapshot = match instead {
        Some(snapshot) => snapshot,
        None => store.load().await.map_err(|error| error.to_string())?,
    };
    let version = snapshot.version;
    let declarative = if sources.settings.database == Database::Off { sources.declarative()? } else { None };
    let is_kept = declarative.is_none();
    let loaded = match declarative {
        Some(texts) => parse(texts, &registry).map_err(|report| report.to_string())?,
        None if version == Version::default() => Loaded { config: Config::empty(), warnings: Vec::new() },
        None => configuration(snapshot, &registry)
            .map_err(|report| format!("the configuration kept ({}) cannot be used:\n{report}", store.kind()))?,
    };
    let warnings = loaded.warnings.iter().map(ToString::to_string).collect();
    Ok(First { config: loaded.config, warnings, store, version, is_kept, copy })
}

/// What [`First`] leaves behind when its configuration is in force.
pub(crate) struct Kept {
    store: Arc<dyn Store>,
    version: Version,
    is_kept: bool,
    copy: Option<LastGood>,
}

impl First {
    /// The configuration to put into force, and the rest for after that.
    pub(crate) fn split(self) -> (Config, Kept) {
        let Self { config, store, version, is_kept, copy, .. } = self;
        (config, Kept { store, version, is_kept, copy })
    }
}

impl Kept {
    /// Keeps the configuration, now that it is in force.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn follow(self, control: Arc<Control>) -> Result<Arc<Configured>, String> {
        let mut version = self.version;
        if !self.is_kept {
            let config = control.current().config.clone();
            let hash = config.hash.clone();
            version = self.store.replace(version, hash, each(config)).await.map_err(|error| error.to_string())?;
        }
        let configured = Arc::new(Configured::new(control, self.store, version));
        let following = configured.clone();
        tokio::spawn(async move { following.follow().await });
        if let Some(copy) = self.copy {
            tokio::spawn(last_good::keep(copy, configured.clone()));
        }
        Ok(configured)
    }
}

/// Reads the declarative configuration again. With a database there is none: what is kept there is followed.
///
/// # Errors
/// What is wrong with a broken one, which is logged, too; the old one stays.
pub(crate) async fn reload(sources: &Sources, configured: &Configured) -> Result<(), String> {
    if sources.settings.database != Database::Off {
        return Ok(());
    }
    let loaded = match sources.declarative() {
        Ok(Some(texts)) => configured.load(texts).await.map_err(|error| error.to_string()),
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
