//! `towergate config db_export`.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use towergate_admin::configuration;
use towergate_config::settings::Database;

use crate::{
    cli::{SettingsSource, Source},
    commands::{Gateway, Run},
    plugins::{self, PluginSet},
    sources::{Sources, variables},
    store::{self, Patience},
    terminal,
};

/// Write what is in the database to a file of declarative configuration, secrets included.
#[derive(Debug, Args)]
pub(crate) struct DbExport {
    /// The file, which must not exist (`-`: standard output).
    #[arg(default_value = "kong.yml")]
    file: PathBuf,
    #[command(flatten)]
    settings: SettingsSource,
}

impl Run for DbExport {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let source = Source { files: Vec::new(), settings: self.settings };
        let settings = Sources::read(&source, variables())?.settings;
        if settings.database == Database::Off {
            return Err("'towergate config db_export' only works with a database.".to_owned());
        }
        let registry = plugins::registry(&gateway.plugins, &settings);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
        let snapshot = runtime.block_on(async {
            let store = store::open(&settings, Patience::of_a_command()).await?;
            store.load().await.map_err(|error| error.to_string())
        })?;
        let count = snapshot.entities.len();
        let config = configuration(snapshot, &registry).map_err(|report| report.to_string())?.config;
        if self.file == Path::new("-") {
            let _ = io::stdout().lock().write_all(config.to_yaml().as_bytes());
            return Ok(ExitCode::SUCCESS);
        }
        write(&self.file, &config.to_yaml())?;
        terminal::say(format_args!("exported {count} entities to {}", self.file.display()));
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes a file that only its owner may read.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        // Kong's words.
        io::ErrorKind::AlreadyExists => format!("{} already exists.\nWill not overwrite it.", path.display()),
        _ => format!("cannot write {}: {error}", path.display()),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
