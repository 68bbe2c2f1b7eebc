//! `towergate version`.

use std::process::ExitCode;

use clap::Args;

use super::{Gateway, Run};
use crate::{plugins::PluginSet, terminal};

/// Print the version, alone on a line.
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// Also the Kong version whose behaviour it follows.
    #[arg(short, long)]
    all: bool,
}

impl Run for Version {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        terminal::say(env!("CARGO_PKG_VERSION"));
        if self.all {
            terminal::say(format_args!("compatible with Kong {}", towergate_admin::KONG_VERSION));
        }
        Ok(ExitCode::SUCCESS)
    }
}
