//! `towergate migrations finish`.

use std::process::ExitCode;

use clap::Args;
use towergate_store::Phase;

use super::{Gateway, Options, Run};
use crate::plugins::PluginSet;

/// Finish what `up` has left pending, once no node of the version before is left.
#[derive(Debug, Args)]
pub(crate) struct Finish {
    #[command(flatten)]
    options: Options,
}

impl Run for Finish {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let tables = self.options.tables()?;
        let finished = tables.run(Phase::Finish)?;
        let repeated = if self.options.force { tables.run(Phase::Repeat)? } else { 0 };
        if !tables.state()?.new.is_empty() {
            tables.say("\nNew migrations available; run 'towergate migrations up' to proceed");
        } else if finished == 0 && repeated == 0 {
            tables.say("No pending migrations to finish");
        }
        Ok(ExitCode::SUCCESS)
    }
}
