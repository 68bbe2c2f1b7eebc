//! `towergate start`.

use std::process::ExitCode;

use clap::Args;

use super::{Gateway, Run};
use crate::{
    cli::Source,
    plugins::PluginSet,
    sources::{Sources, variables},
    start,
};

/// Start the gateway and serve until it is told to stop.
///
/// SIGTERM and SIGQUIT let requests in flight finish, SIGHUP reads the declarative
/// configuration again, as does a change of its files.
#[derive(Debug, Args)]
pub(crate) struct Start {
    #[command(flatten)]
    source: Source,
}

impl Run for Start {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let sources = Sources::read(&self.source, variables())?;
        start::start(gateway.plugins, sources, gateway.verbosity)?;
        Ok(ExitCode::SUCCESS)
    }
}
