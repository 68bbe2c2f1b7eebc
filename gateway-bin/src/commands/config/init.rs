//! `towergate config init`.

use std::{fs, io::Write as _, path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{
    commands::{Gateway, Run},
    plugins::PluginSet,
    terminal,
};

/// What a new file says; all of it is a comment but its version.
const EXAMPLE: &str = include_str!("init.yml");

/// Write an example of a declarative configuration.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The file to make; one that is there already is left alone.
    #[arg(default_value = "kong.yml")]
    file: PathBuf,
    /// Kong's; no setting matters here.
    #[arg(short, long, value_name = "FILE", hide = true)]
    conf: Option<PathBuf>,
    /// Kong's; no setting matters here.
    #[arg(short, long, value_name = "DIR", hide = true)]
    prefix: Option<PathBuf>,
}

impl Run for Init {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        // What is said of settings changes nothing.
        let Self { file, conf: _, prefix: _ } = self;
        let (path, file) = (&file, file.display());
        let cannot = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => format!("{file} already exists; it is not overwritten"),
            _ => format!("cannot write {file}: {error}"),
        };
        let mut created = fs::File::create_new(path).map_err(cannot)?;
        created.write_all(EXAMPLE.as_bytes()).map_err(cannot)?;
        terminal::say(format_args!(
            "{file} written; `towergate check {file}` validates it, `towergate start {file}` serves it"
        ));
        Ok(ExitCode::SUCCESS)
    }
}
