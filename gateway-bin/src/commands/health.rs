//! `towergate health`.

use std::process::ExitCode;

use clap::Args;

use super::{Gateway, Run};
use crate::{
    cli::{SettingsSource, Source},
    plugins::PluginSet,
    prefix::Running,
    sources::{Sources, variables},
    terminal,
};

/// Tell whether a gateway runs in the prefix; exit code 1 if none does.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    HEALTHCHECK CMD [\"towergate\", \"health\"]   in a Dockerfile\n\n\
    It looks for the process. /status/ready of the Status API tells whether it should get traffic.")]
pub(crate) struct Health {
    #[command(flatten)]
    settings: SettingsSource,
}

impl Run for Health {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let sources = Sources::read(&Source::of(self.settings), variables())?;
        let prefix = sources.settings.prefix;
        // Kong's words and dots, for those who read them.
        match Running::find(&prefix) {
            Some(_) => {
                terminal::say("nginx.......running\n");
                terminal::say(format_args!("Kong is healthy at {}", prefix.display()));
                Ok(ExitCode::SUCCESS)
            }
            None => {
                terminal::say("nginx.......not running\n");
                Err(format!("Kong is not running at {}", prefix.display()))
            }
        }
    }
}
