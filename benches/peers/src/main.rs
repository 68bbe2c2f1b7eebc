#![doc = include_str!("../README.md")]

mod certificate;
mod cli;
mod comparison;
mod interrupt;
mod load;
mod machine;
mod process;
mod proxies;
mod report;
mod scenario;
mod statistics;
mod upstream;
mod usage;

use std::{fmt, process::ExitCode};

use clap::Parser;
use cli::{Cli, Command};

/// Why something cannot go on, in words for who started it.
pub(crate) type Problem = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        None => comparison::run(&cli::Comparison::default()),
        Some(Command::Compare(wanted)) => comparison::run(&wanted),
        Some(Command::Setup) => proxies::setup(),
        Some(Command::Upstream { port }) => upstream::serve(port),
        Some(Command::Load { work }) => load::run(&work),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            note(format_args!("Error: {problem}"));
            ExitCode::FAILURE
        }
    }
}

/// Tells who watches what is going on, apart from the tables.
#[expect(clippy::print_stderr, reason = "a program for a terminal")]
pub(crate) fn note(what: fmt::Arguments<'_>) {
    eprintln!("{what}");
}

/// Prints what was asked for.
#[expect(clippy::print_stdout, reason = "a program for a terminal")]
pub(crate) fn say(what: impl fmt::Display) {
    println!("{what}");
}
