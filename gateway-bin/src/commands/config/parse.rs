//! `towergate config parse`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{
    cli::{SettingsSource, Source},
    commands::{Gateway, Run, check},
    plugins::PluginSet,
    terminal,
};

/// Validate a file of declarative configuration (`-`: standard input).
#[derive(Debug, Args)]
pub(crate) struct Parse {
    /// Files or folders.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    settings: SettingsSource,
}

impl Run for Parse {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let Self { files, settings } = self;
        check::validate(&gateway.plugins, &Source { files, settings })?;
        // Kong's words.
        terminal::say("parse successful");
        Ok(ExitCode::SUCCESS)
    }
}
