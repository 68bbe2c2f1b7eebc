//! `towergate completions`.

use std::{io, process::ExitCode};

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::{Gateway, Run};
use crate::{
    cli::{self, Cli},
    plugins::PluginSet,
};

/// Print what a shell needs to complete commands and flags.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    towergate completions bash > /etc/bash_completion.d/towergate\n  \
    towergate completions zsh > \"${fpath[1]}/_towergate\"\n  \
    towergate completions fish > ~/.config/fish/completions/towergate.fish")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Run for Completions {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), cli::called(), &mut script);
        // Whoever reads it may stop early.
        let _ = io::Write::write_all(&mut io::stdout(), &script);
        Ok(ExitCode::SUCCESS)
    }
}
