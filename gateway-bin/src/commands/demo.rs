//! `towergate demo`.

use std::process::ExitCode;

use clap::Args;

use super::{Gateway, Run};
use crate::{plugins::PluginSet, start};

/// Start three small sample services and a gateway in front of them.
#[derive(Debug, Args)]
pub(crate) struct Demo;

impl Run for Demo {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        start::demo(gateway.plugins, gateway.verbosity)?;
        Ok(ExitCode::SUCCESS)
    }
}
