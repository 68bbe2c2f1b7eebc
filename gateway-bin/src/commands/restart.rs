//! `towergate restart`.

use std::process::ExitCode;

use clap::Args;

use super::{Gateway, Run, start::StartArguments, stop};
use crate::{
    plugins::PluginSet,
    prefix::Running,
    sources::{Sources, variables},
};

/// Stop a running gateway, if one runs, and start one.
///
/// What is wrong with settings is told before anything is stopped.
#[derive(Debug, Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    start: StartArguments,
}

impl Run for Restart {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        super::check::validate(&gateway.plugins, &self.start.source)?;
        let sources = Sources::read(&self.start.source, variables())?;
        if let Some(running) = Running::find(&sources.settings.prefix) {
            stop::stop(&running)?;
        }
        self.start.run(gateway)
    }
}
