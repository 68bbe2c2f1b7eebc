//! The command line: what all commands have in common.

use std::{path::PathBuf, process::ExitCode};

use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser};

use crate::commands::Command;

/// An API gateway that reads the kong.yml you have.
#[derive(Debug, Parser)]
#[command(name = "towergate", version, disable_version_flag = true, arg_required_else_help = true)]
#[command(after_help = "Examples:\n  \
    towergate demo                         three sample services behind a gateway on port 8000\n  \
    towergate check kong.yml               validate a configuration, with hints\n  \
    towergate start kong.yml               serve it\n  \
    KONG_DECLARATIVE_CONFIG=/etc/kong/kong.yml towergate start -c /etc/kong/kong.conf")]
pub(crate) struct Cli {
    /// Say more (-vv: debug).
    #[arg(short, long = "v", global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say everything, as -vv does.
    #[arg(long = "vv", global = true, hide = true)]
    pub(crate) debug: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How much is told beside what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// As much as the settings say.
    Usual,
    /// More.
    Verbose,
    /// Everything.
    Debug,
}

/// What the program was called as: `kong`, where somebody has linked it so, or its own name.
pub(crate) fn called() -> &'static str {
    let called = std::env::args_os().next().map(PathBuf::from);
    let is_kong = called.is_some_and(|path| path.file_name().is_some_and(|name| name == "kong"));
    if is_kong { "kong" } else { "towergate" }
}

impl Cli {
    /// Reads the command line of this process, which is called so.
    ///
    /// # Errors
    /// The exit code if there is nothing to do but what was just said: help, or what is wrong.
    pub(crate) fn called_as(name: &'static str) -> Result<Self, ExitCode> {
        let matches = Self::command().name(name).bin_name(name).try_get_matches();
        matches.and_then(|matches| Self::from_arg_matches(&matches)).map_err(|said| {
            let _ = said.print();
            // Kong's code; clap's own would be 2.
            if said.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        })
    }

    pub(crate) fn verbosity(&self) -> Verbosity {
        match self.verbose {
            _ if self.debug => Verbosity::Debug,
            0 => Verbosity::Usual,
            1 => Verbosity::Verbose,
            _ => Verbosity::Debug,
        }
    }
}

/// Where settings are read from.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct SettingsSource {
    /// The settings file (kong.conf).
    #[arg(short, long, value_name = "FILE")]
    pub(crate) conf: Option<PathBuf>,
    /// The folder for the pid file and logs; replaces the setting `prefix`.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) prefix: Option<PathBuf>,
}

/// Where settings and configuration come from.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct Source {
    /// Declarative configuration: files or folders (or, as with `kong check`, a kong.conf). Without, the
    /// setting `declarative_config`.
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingsSource,
}

impl Source {
    /// Settings alone.
    pub(crate) fn of(settings: SettingsSource) -> Self {
        Self { files: Vec::new(), settings }
    }
}
