//! `towergate migrations reset`.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::Args;
use towergate_store::Phase;

use super::{Gateway, Options, Run};
use crate::plugins::PluginSet;

/// Take away the tables, and everything that is in them.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    options: Options,
}

impl Run for Reset {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let tables = self.options.tables()?;
        if !self.options.yes && !io::stdin().is_terminal() {
            return Err("not a tty: invoke 'reset' non-interactively with the --yes flag".to_owned());
        }
        if !self.options.yes && !is_sure() {
            tables.say("cancelled");
            return Ok(ExitCode::SUCCESS);
        }
        if tables.state()?.needs_bootstrap {
            tables.say("Database not bootstrapped, nothing to reset");
            return Ok(ExitCode::FAILURE);
        }
        tables.say("Resetting database...");
        tables.run(Phase::Reset)?;
        tables.say("Database successfully reset");
        Ok(ExitCode::SUCCESS)
    }
}

/// Three answers that are neither yes nor no are a no.
fn is_sure() -> bool {
    for _ in 0..3 {
        let _ = write!(io::stdout().lock(), "> Are you sure? This operation is irreversible. [Y/n] ");
        let _ = io::stdout().lock().flush();
        let mut answer = String::new();
        if io::stdin().lock().read_line(&mut answer).is_err() {
            return false;
        }
        match answer.trim() {
            "y" | "Y" | "yes" | "YES" => return true,
            "n" | "N" | "no" | "NO" => return false,
            _ => {}
        }
    }
    false
}
