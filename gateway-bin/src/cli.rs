//! The command line: what all commands have in common.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser};

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

impl Cli {
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
