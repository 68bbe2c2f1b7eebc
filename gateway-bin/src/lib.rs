#![doc = include_str!("../README.md")]

mod access_log;
mod api_log;
mod api_tls;
mod apis;
mod background;
mod cli;
mod commands;
mod configuration;
mod control_socket;
mod demo;
mod log;
mod log_queue;
mod metrics;
mod plugins;
mod prefix;
mod renewal;
mod signals;
mod sources;
mod start;
mod store;
mod terminal;
mod tls;
mod wiring;

use std::process::ExitCode;

use cli::Cli;
use commands::{Gateway, Run};

pub use plugins::{Bundled, PluginSet};

/// The code in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// What [`plugins!`] expands to needs these.
#[doc(hidden)]
pub mod macros {
    pub use tower::ServiceBuilder;
    pub use towergate_core::{BandLayer, GuardLayer, ObserveLayer, Slot, Wrap};
    pub use towergate_runtime::{Band, Registry};
    pub use towergate_server::Stack;
    pub use towergate_upstream::Proxy;
}

/// Runs the command line of a gateway with these plugins; answers the exit code: 0 if all went
/// well, 1 after an error, which is told on stderr. Some commands have more codes, which they tell.
pub fn run(plugins: impl PluginSet) -> ExitCode {
    let cli = match Cli::called_as(cli::called()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let gateway = Gateway { plugins, verbosity: cli.verbosity() };
    let done = cli.command.run(gateway);
    // What was logged comes before what is said last.
    log_queue::finish();
    done.unwrap_or_else(|error| {
        terminal::fail(error);
        ExitCode::FAILURE
    })
}
