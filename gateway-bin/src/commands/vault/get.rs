//! `towergate vault get`.

use std::process::ExitCode;

use clap::Args;
use towergate_config::{Environment, vault};

use crate::{
    cli::SettingsSource,
    commands::{Gateway, Run},
    plugins::PluginSet,
    terminal,
};

/// Print the secret that a reference leads to.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  TEST=hello towergate vault get env/test")]
pub(crate) struct Get {
    /// `{vault://env/name}`, or `env/name` for short.
    reference: String,
    #[command(flatten)]
    _settings: SettingsSource,
}

impl Run for Get {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let given = self.reference;
        let reference = if vault::is_reference(&given) { given } else { format!("{{vault://{given}}}") };
        terminal::say(vault::resolve(&reference, &Environment::of_process())?);
        Ok(ExitCode::SUCCESS)
    }
}
