//! `towergate migrations status`.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{Gateway, Options, Run, code};
use crate::plugins::PluginSet;

/// Tell the state of the database in JSON, with the exit codes of `list`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    options: Options,
}

impl Run for Status {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let tables = self.options.tables()?;
        let state = tables.state()?;
        let status = json!({
            "needs_bootstrap": state.needs_bootstrap,
            "executed_migrations": of_subsystem(&state.executed),
            "pending_migrations": of_subsystem(&state.pending),
            "new_migrations": of_subsystem(&state.new),
        });
        tables.say(format_args!("{status:#}"));
        Ok(code(&state))
    }
}

/// Kong's form: steps by the part of the gateway that they belong to; ours has one.
fn of_subsystem(steps: &[String]) -> Value {
    match steps {
        [] => json!([]),
        steps => json!([{ "subsystem": "towergate", "migrations": steps }]),
    }
}
