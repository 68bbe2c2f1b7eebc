//! `towergate migrations up`.

use std::process::ExitCode;

use clap::Args;
use towergate_store::Phase;

use super::{Gateway, Options, Run};
use crate::plugins::PluginSet;

/// Run new migrations. Nodes of the version before can go on.
#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    options: Options,
}

impl Run for Up {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let tables = self.options.tables()?;
        let repeated = if self.options.force { tables.run(Phase::Repeat)? } else { 0 };
        let run = tables.run(Phase::Up)?;
        if !tables.state()?.pending.is_empty() {
            tables.say("\nDatabase has pending migrations; run 'towergate migrations finish' when ready");
        } else if repeated == 0 && run == 0 {
            tables.say("Database is already up-to-date");
        }
        Ok(ExitCode::SUCCESS)
    }
}
