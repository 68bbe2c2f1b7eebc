//! `towergate drain`.

use std::{path::Path, process::ExitCode};

use clap::Args;

use super::{Gateway, Run, running};
use crate::{
    cli::SettingsSource,
    control_socket::{self, Refusal},
    plugins::PluginSet,
    terminal,
};

/// Make a running gateway answer /status/ready with 503, so that it gets no new traffic.
#[derive(Debug, Args)]
pub(crate) struct Drain {
    #[command(flatten)]
    settings: SettingsSource,
}

impl Run for Drain {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        drain(&running(&self.settings)?.0)?;
        // Kong's words.
        terminal::say("Kong's status successfully changed to 'draining'");
        Ok(ExitCode::SUCCESS)
    }
}

/// Makes the gateway of this prefix not ready.
///
/// # Errors
/// When it cannot be asked.
pub(super) fn drain(prefix: &Path) -> Result<(), String> {
    control_socket::ask(prefix, "drain", "").map(drop).map_err(|refusal| match refusal {
        Refusal::Refused(why) => why,
        Refusal::Unheard(error) => format!("the gateway at {} cannot be asked: {error}", prefix.display()),
    })
}
