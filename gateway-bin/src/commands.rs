//! What the command line can be asked for: a file for each command, and a line for it in the list below.

mod alias;
mod check;
mod completions;
mod config;
mod demo;
mod drain;
mod explain;
mod health;
mod migrations;
mod prepare;
mod reload;
mod restart;
mod start;
mod stop;
mod token;
mod vault;
mod version;

use std::{path::PathBuf, process::ExitCode};

use crate::{
    cli::{SettingsSource, Source, Verbosity},
    plugins::PluginSet,
    prefix::Running,
    sources::{Sources, variables},
    terminal,
};

/// A command with its arguments.
pub(crate) trait Run {
    /// Does what was asked for; answers the exit code.
    ///
    /// # Errors
    /// What went wrong, for people. It is told on stderr, and the exit code is 1.
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String>;
}

/// What a command gets beside its arguments.
#[derive(Debug)]
pub(crate) struct Gateway<P> {
    /// The plugins of this gateway.
    pub(crate) plugins: P,
    /// How much is told beside what was asked for.
    pub(crate) verbosity: Verbosity,
}

/// Lists commands: each is a type with its arguments, which is documented there.
macro_rules! commands {
    ($(#[$doc:meta])* $vis:vis enum $list:ident { $($(#[$attribute:meta])* $command:ident($arguments:ty),)* }) => {
        $(#[$doc])*
        #[derive(Debug, clap::Subcommand)]
        $vis enum $list {
            $($(#[$attribute])* $command($arguments),)*
        }

        impl $crate::commands::Run for $list {
            fn run(
                self,
                gateway: $crate::commands::Gateway<impl $crate::PluginSet>,
            ) -> Result<std::process::ExitCode, String> {
                match self {
                    $(Self::$command(arguments) => arguments.run(gateway),)*
                }
            }
        }
    };
}
pub(crate) use commands;

commands! {
    /// What can be asked for, in the order in which `--help` shows it.
    pub(crate) enum Command {
        #[command(alias = "docker-start")]
        Start(start::Start),
        Stop(stop::Stop),
        Quit(stop::Quit),
        Reload(reload::Reload),
        Restart(restart::Restart),
        Health(health::Health),
        Drain(drain::Drain),
        Check(check::Check),
        Explain(explain::Explain),
        Config(config::Config),
        Migrations(migrations::Migrations),
        Vault(vault::Vault),
        Token(token::Token),
        Prepare(prepare::Prepare),
        Demo(demo::Demo),
        Completions(completions::Completions),
        Alias(alias::Alias),
        Version(version::Version),
    }
}

/// The gateway that runs in the prefix these settings say, and that prefix.
///
/// # Errors
/// When none does.
fn running(settings: &SettingsSource) -> Result<(PathBuf, Running), String> {
    let prefix = Sources::read(&Source::of(settings.clone()), variables())?.settings.prefix;
    match Running::find(&prefix) {
        Some(running) => Ok((prefix, running)),
        None => Err(format!("Kong is not running at {}", prefix.display())),
    }
}

/// What Kong gives to its nginx may be in scripts; it has no place here.
#[derive(Debug, clap::Args)]
struct OfNginx {
    /// Kong's; there is no nginx.
    #[arg(long, value_name = "FILE", hide = true)]
    nginx_conf: Option<String>,
    /// Kong's; there is no nginx.
    #[arg(long, value_name = "FLAGS", hide = true)]
    nginx_conf_flags: Option<String>,
}

impl OfNginx {
    fn tell(&self) {
        for (flag, given) in [("--nginx-conf", &self.nginx_conf), ("--nginx-conf-flags", &self.nginx_conf_flags)] {
            if let Some(given) = given {
                terminal::warn(format_args!("{flag} {given} does nothing: there is no nginx"));
            }
        }
    }
}
