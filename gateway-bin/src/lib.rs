#![doc = include_str!("../README.md")]

mod apis;
mod check;
mod cli;
mod configuration;
mod demo;
mod log;
mod log_queue;
mod metrics;
mod plugins;
mod prefix;
mod signals;
mod sources;
mod start;
mod store;
mod terminal;
mod tls;
mod upstream_health;
mod wiring;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

pub use plugins::{Bundled, PluginSet};

/// The code in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// What [`plugins!`] expands to needs these.
#[doc(hidden)]
pub mod macros {
    pub use tower::ServiceBuilder;
    pub use towergate_core::{GuardLayer, Slot, Wrap};
    pub use towergate_runtime::{Band, Registry};
    pub use towergate_server::Stack;
    pub use towergate_upstream::Proxy;
}

/// Runs the command line of a gateway with these plugins; answers the exit code: 0 if all went
/// well, 1 after an error, which is told on stderr.
pub fn run(plugins: impl PluginSet) -> ExitCode {
    let Cli { command, verbose } = Cli::parse();
    let done = match command {
        Command::Start(source) => start::start(plugins, &source, verbose),
        Command::Check(source) => check::check(&plugins, &source),
        Command::Demo => start::demo(plugins, verbose),
        Command::Version { all } => {
            version(all);
            Ok(())
        }
    };
    // What was logged comes before what is said last.
    log_queue::finish();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::warn(format_args!("Error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn version(all: bool) {
    terminal::say(env!("CARGO_PKG_VERSION"));
    if all {
        terminal::say(format_args!("compatible with Kong {}", towergate_admin::KONG_VERSION));
    }
}
