//! `towergate config db_encrypt`.

use std::process::ExitCode;

use clap::Args;
use towergate_config::settings::Database;
use towergate_store::{Commit, CommitError, Store, StoreError};

use crate::{
    cli::{SettingsSource, Source},
    commands::{Gateway, Run},
    plugins::PluginSet,
    sources::{Sources, variables},
    store::{self, Patience},
    terminal,
};

/// Write everything in the database once more, its secrets encrypted with the first key of
/// `store_encryption_key`; without a key, in the clear.
#[derive(Debug, Args)]
pub(crate) struct DbEncrypt {
    #[command(flatten)]
    settings: SettingsSource,
}

impl Run for DbEncrypt {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let settings = Sources::read(&Source { files: Vec::new(), settings: self.settings }, variables())?.settings;
        if settings.database == Database::Off {
            return Err("'towergate config db_encrypt' only works with a database.".to_owned());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
        let count = runtime.block_on(async {
            let store = store::open(&settings, Patience::of_a_command()).await?;
            rewrite(&*store).await.map_err(|error| error.to_string())
        })?;
        let how = if settings.keeping.encryption_keys.is_empty() { "in the clear" } else { "encrypted" };
        terminal::say(format_args!("wrote {count} entities, their secrets {how}"));
        Ok(ExitCode::SUCCESS)
    }
}

/// Answers how many entities there are. Whoever commits at the same time is followed.
async fn rewrite(store: &dyn Store) -> Result<usize, StoreError> {
    loop {
        let snapshot = store.load().await?;
        let count = snapshot.entities.len();
        let commit = Commit { hash: snapshot.hash, ..Commit::of_all(snapshot.version, snapshot.entities) };
        match store.commit(commit).await {
            Ok(_) => return Ok(count),
            Err(CommitError::Conflict) => {}
            Err(CommitError::Store(error)) => return Err(error),
        }
    }
}
