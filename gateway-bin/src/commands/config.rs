//! `towergate config`: a file for each of its commands, and a line for it in the list below.

mod db_encrypt;
mod db_export;
mod db_import;
mod init;
mod parse;

use std::process::ExitCode;

use clap::Args;

use super::{Gateway, Run, commands};
use crate::plugins::PluginSet;

/// Work with files of declarative configuration.
#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    command: ConfigCommand,
}

commands! {
    /// What can be done with them.
    enum ConfigCommand {
        Parse(parse::Parse),
        Init(init::Init),
        #[command(name = "db_import", alias = "db-import")]
        DbImport(db_import::DbImport),
        #[command(name = "db_export", alias = "db-export")]
        DbExport(db_export::DbExport),
        #[command(name = "db_encrypt")]
        DbEncrypt(db_encrypt::DbEncrypt),
    }
}

impl Run for Config {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        self.command.run(gateway)
    }
}
