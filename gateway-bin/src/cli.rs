//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

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
    pub verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the gateway and serve until it is told to stop.
    ///
    /// SIGTERM and SIGQUIT let requests in flight finish, SIGHUP reads the declarative
    /// configuration again, as does a change of its files.
    Start(Source),
    /// Validate settings and declarative configuration, without starting anything.
    Check(Source),
    /// Start three small sample services and a gateway in front of them.
    Demo,
    /// Print the version, alone on a line.
    Version {
        /// Also the Kong version whose behaviour it follows.
        #[arg(short, long)]
        all: bool,
    },
}

/// Where settings and configuration come from.
#[derive(Debug, Args, Default)]
pub(crate) struct Source {
    /// Declarative configuration: files or folders (or, as with `kong check`, a kong.conf). Without, the
    /// setting `declarative_config`.
    pub(crate) files: Vec<PathBuf>,
    /// The settings file (kong.conf).
    #[arg(short, long, value_name = "FILE")]
    pub(crate) conf: Option<PathBuf>,
    /// The folder for the pid file and logs; replaces the setting `prefix`.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) prefix: Option<PathBuf>,
}
