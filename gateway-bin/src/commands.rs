//! What the command line can be asked for: a file for each command, and a line for it in the list below.

mod check;
mod config;
mod demo;
mod migrations;
mod start;
mod version;

use std::process::ExitCode;

use crate::{cli::Verbosity, plugins::PluginSet};

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
    ($(#[$doc:meta])* $vis:vis enum $list:ident { $($(#[$name:meta])* $command:ident($arguments:ty),)* }) => {
        $(#[$doc])*
        #[derive(Debug, clap::Subcommand)]
        $vis enum $list {
            $($(#[$name])* $command($arguments),)*
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
        Start(start::Start),
        Check(check::Check),
        Config(config::Config),
        Migrations(migrations::Migrations),
        Demo(demo::Demo),
        Version(version::Version),
    }
}
