//! `towergate reload`.

use std::process::ExitCode;

use clap::Args;
use rustix::process::Signal;

use super::{Gateway, Run, running};
use crate::{
    cli::SettingsSource,
    control_socket::{self, Refusal},
    plugins::PluginSet,
    sources::Beside,
    terminal,
};

/// Make a running gateway read its settings, configuration, certificates and tokens again.
///
/// What is broken is told, and does not take the place of what is in force. Settings are those of the start (kong.conf
/// and variables), with --conf and the KONG_* variables of this command over them. Those that only a start can change,
/// such as listeners, are named.
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
        let beside = Beside::of_this_process(self.settings.conf.as_deref());
        let beside = serde_json::to_string(&beside).map_err(|error| error.to_string())?;
        match control_socket::ask(&prefix, "reload", &beside) {
            Ok(warnings) => {
                for warning in warnings.lines() {
                    terminal::warn(warning);
                }
                // Kong's words.
                terminal::say("Kong reloaded");
            }
            Err(Refusal::Refused(why)) => return Err(why),
            Err(Refusal::Unheard(error)) => {
                gateway.signal(Signal::HUP)?;
                terminal::say("Kong told to reload");
                terminal::warn(format_args!("its log tells what came of it: it does not answer here ({error})"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
