//! `towergate alias`.

use std::{fs, io, os::unix::fs::symlink, path::PathBuf, process::ExitCode};

use clap::Args;

use super::{Gateway, Run};
use crate::{plugins::PluginSet, terminal};

/// Make a link named `kong` to this program, for scripts that call it so.
///
/// What is there already is left alone, unless it is such a link.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  towergate alias && kong start -c /etc/kong/kong.conf")]
pub(crate) struct Alias {
    /// The folder; without, the one this program is in.
    folder: Option<PathBuf>,
}

impl Run for Alias {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let program = std::env::current_exe().map_err(|error| format!("cannot tell where this program is: {error}"))?;
        let folder = self.folder.or_else(|| program.parent().map(PathBuf::from)).unwrap_or_default();
        let link = folder.join("kong");
        if fs::read_link(&link).is_ok_and(|target| target == program) {
            terminal::say(format_args!("{} is there already", link.display()));
            return Ok(ExitCode::SUCCESS);
        }
        symlink(&program, &link).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => format!("{} is there already, and is something else", link.display()),
            _ => format!("cannot make {}: {error}", link.display()),
        })?;
        terminal::say(format_args!("{} -> {}", link.display(), program.display()));
        Ok(ExitCode::SUCCESS)
    }
}
