//! `towergate migrations list`.

use std::process::ExitCode;

use clap::Args;

use super::{Gateway, Options, Run, code};
use crate::plugins::PluginSet;

/// List the migrations: exit code 0 if the database is up to date, 3 if it needs bootstrap, 4 finish, 5 up.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    options: Options,
}

impl Run for List {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let tables = self.options.tables()?;
        let state = tables.state()?;
        if state.needs_bootstrap {
            tables.say("Database needs bootstrapping; run 'towergate migrations bootstrap'");
            return Ok(code(&state));
        }
        for (steps, headed, advice) in [
            (&state.executed, "Executed migrations:", ""),
            (&state.pending, "\nPending migrations:", "\nRun 'towergate migrations finish' when ready"),
            (&state.new, "\nNew migrations available:", "\nRun 'towergate migrations up' to proceed"),
        ] {
            if !steps.is_empty() {
                tables.say(format_args!("{headed}\ntowergate: {}{advice}", steps.join(", ")));
            }
        }
        Ok(code(&state))
    }
}
