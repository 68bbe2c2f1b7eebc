//! `towergate reload`.

use std::process::ExitCode;

use clap::Args;
use rustix::process::Signal;

use super::{Gateway, Run, running};
use crate::{
    cli::SettingsSource,
    control_socket::{self, Refusal},
    plugins::PluginSet,
    terminal,
};

/// Make a running gateway read its configuration, certificates and tokens again.
///
/// What is broken is told, and does not take the place of what is in force. Settings (kong.conf and
/// variables) are read at the start alone.
#[derive(Debug, Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    settings: SettingsSource,
    /// Kong's; there is no nginx.
    #[arg(long, value_name = "FILE", hide = true)]
    nginx_conf: Option<String>,
}

impl Run for Reload {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        super::tell_of_nginx(self.nginx_conf.as_deref());
        let (prefix, gateway) = running(&self.settings)?;
        match control_socket::ask(&prefix, "reload", "") {
            // Kong's words.
            Ok(_) => terminal::say("Kong reloaded"),
            Err(Refusal::Refused(why)) => return Err(why),
            Err(Refusal::Unheard(error)) => {
                gateway.signal(Signal::HUP)?;
                terminal::say("Kong told to reload");
                terminal::warn(format_args!(
                    "warning: its log tells what came of it: it does not answer here ({error})"
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
