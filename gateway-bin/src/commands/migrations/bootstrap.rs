//! `towergate migrations bootstrap`.

use std::process::ExitCode;

use clap::Args;
use towergate_store::Phase;

use super::{Gateway, Options, Run};
use crate::plugins::PluginSet;

/// Make the tables, and run all migrations. The tables of a Kong in the same database are left alone.
#[derive(Debug, Args)]
pub(crate) struct Bootstrap {
    #[command(flatten)]
    options: Options,
}

impl Run for Bootstrap {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let tables = self.options.tables()?;
        if !tables.state()?.needs_bootstrap {
            tables.say("Database already bootstrapped");
            return Ok(ExitCode::SUCCESS);
        }
        tables.say("Bootstrapping database...");
        tables.run(Phase::Bootstrap)?;
        tables.say("Database is up-to-date");
        Ok(ExitCode::SUCCESS)
    }
}
