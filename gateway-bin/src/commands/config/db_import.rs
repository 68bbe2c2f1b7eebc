//! `towergate config db_import`.

use std::{collections::HashMap, path::PathBuf, process::ExitCode};

use clap::Args;
use towergate_admin::entities;
use towergate_config::{Config, Kind, parse, parse_entities, settings::Database};
use towergate_runtime::Registry;
use towergate_store::{Change, Commit, CommitError, Snapshot, Store};

use crate::{
    cli::{SettingsSource, Source},
    commands::{Gateway, Run},
    plugins::{self, PluginSet},
    sources::{Sources, variables},
    store::{self, Patience},
    terminal::{self, Progress},
    wiring,
};

/// Put a declarative configuration into the database: its entities are added, or take the place of those
/// with their ids; all others stay. All of them or none.
#[derive(Debug, Args)]
pub(crate) struct DbImport {
    /// Files or folders (`-`: standard input).
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    settings: SettingsSource,
}

impl Run for DbImport {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let sources = Sources::read(&Source { files: self.files, settings: self.settings }, variables())?;
        if sources.settings.database == Database::Off {
            return Err("'towergate config db_import' only works with a database.\n\
                        With database=off, post the configuration to /config of the Admin API."
                .to_owned());
        }
        let registry = plugins::registry(&gateway.plugins, &sources.settings);
        let texts = sources.declarative()?.unwrap_or_default();
        let progress = Progress::of("parsing");
        let parsed = parse(texts, &registry);
        drop(progress);
        let loaded = parsed.map_err(|report| format!("Failed parsing:\n{report}"))?;
        for warning in &loaded.warnings {
            terminal::warn(warning);
        }
        terminal::say("parse successful, beginning import");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
        let count = runtime
            .block_on(async {
                let store = store::open(&sources.settings, Patience::of_a_command()).await?;
                import(&*store, &loaded.config, &registry).await
            })
            .map_err(|error| format!("Failed importing:\n{error}"))?;
        terminal::say(format_args!("import successful: {count} entities are new or changed"));
        Ok(ExitCode::SUCCESS)
    }
}

/// Commits what differs; answers how many entities that are. Whoever commits at the same time is followed.
async fn import(store: &dyn Store, imported: &Config, registry: &Registry) -> Result<usize, String> {
    let progress = Progress::of("reading the database");
    loop {
        progress.now("reading the database");
        let snapshot = store.load().await.map_err(|error| error.to_string())?;
        let seen = snapshot.version;
        let count: usize = Kind::ALL.into_iter().map(|kind| imported.count(kind)).sum();
        progress.now(&format!("checking {count} entities beside {} of the database", snapshot.entities.len()));
        let changes = changes(snapshot, imported, registry)?;
        let count = changes.len();
        if count == 0 {
            return Ok(0);
        }
        progress.now(&format!("writing {count} entities"));
        match store.commit(Commit::of(seen, changes)).await {
            Ok(_) => return Ok(count),
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// What changes in the store, if what it leads to is right as a whole.
fn changes(snapshot: Snapshot, imported: &Config, registry: &Registry) -> Result<Vec<Change>, String> {
    let kept = snapshot.entities.into_iter().map(|entity| ((entity.kind, entity.id), entity.value));
    let mut all: HashMap<_, _> = kept.collect();
    let mut changes = Vec::new();
    for entity in entities(imported) {
        let before = all.insert((entity.kind, entity.id), entity.value.clone());
        if before.as_ref() != Some(&entity.value) {
            changes.push(Change::from(entity));
        }
    }
    let all = all.into_iter().map(|((kind, _), value)| (kind, value));
    let whole = parse_entities(all, registry).map_err(|report| report.to_string())?;
    wiring::try_compile(whole.config, registry).map_err(|error| error.to_string())?;
    Ok(changes)
}
