//! `towergate vault`.

mod get;

use std::process::ExitCode;

use clap::Args;

use super::{Gateway, Run, commands};
use crate::plugins::PluginSet;

/// Look into vaults.
#[derive(Debug, Args)]
pub(crate) struct Vault {
    #[command(subcommand)]
    command: VaultCommand,
}

commands! {
    /// What can be done with them.
    enum VaultCommand {
        Get(get::Get),
    }
}

impl Run for Vault {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        self.command.run(gateway)
    }
}
