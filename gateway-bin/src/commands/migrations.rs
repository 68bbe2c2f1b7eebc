//! `towergate migrations`: a file for each of its commands, and a line for it in the list below.

mod bootstrap;
mod finish;
mod list;
mod reset;
mod status;
mod up;

use std::{fmt::Display, process::ExitCode, time::Duration};

use clap::Args;
use towergate_config::{Settings, settings::Database};
use towergate_store::{Migrate, Migrations as State, Phase, Trouble};

use super::{Gateway, Run, commands};
use crate::{
    cli::{SettingsSource, Source},
    plugins::PluginSet,
    sources::{Sources, variables},
    store::{self, Patience},
    terminal::{self, Progress},
};

/// Make and change the tables of the database (`database = postgres`; those of SQLite are made by the start).
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    towergate migrations bootstrap      make the tables, once for each database\n  \
    towergate migrations up             before the nodes of a new version start\n  \
    towergate migrations finish         after the last node of the old version is gone\n  \
    towergate migrations list           exit code 0: up to date, 3: bootstrap, 4: finish, 5: up is left to do")]
pub(crate) struct Migrations {
    #[command(subcommand)]
    command: MigrationsCommand,
}

commands! {
    /// What can be done with the tables.
    enum MigrationsCommand {
        Bootstrap(bootstrap::Bootstrap),
        Up(up::Up),
        Finish(finish::Finish),
        List(list::List),
        Status(status::Status),
        Reset(reset::Reset),
    }
}

impl Run for Migrations {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        self.command.run(gateway)
    }
}

/// What all of them can be told.
#[derive(Debug, Args)]
struct Options {
    /// Assume yes where it would be asked.
    #[arg(short, long)]
    yes: bool,
    /// Say nothing but errors.
    #[arg(short, long)]
    quiet: bool,
    /// Run steps that were run before once more.
    #[arg(short, long)]
    force: bool,
    /// How many seconds the database may take for each answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    db_timeout: u64,
    /// How many seconds another node that changes the tables is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    lock_timeout: u64,
    #[command(flatten)]
    settings: SettingsSource,
}

/// A database and what is said about it.
struct Tables {
    migrate: Box<dyn Migrate>,
    runtime: tokio::runtime::Runtime,
    name: String,
    is_quiet: bool,
}

impl Options {
    /// Opens the database that the settings name.
    fn tables(&self) -> Result<Tables, String> {
        let source = Source { settings: self.settings.clone(), ..Source::default() };
        let settings = Sources::read(&source, variables())?.settings;
        let (database, lock) = (Duration::from_secs(self.db_timeout), Duration::from_secs(self.lock_timeout));
        let patience = Patience { database: Some(database), lock: Some(lock) };
        Tables::open(&settings, patience, self.quiet)
    }
}

/// Runs new migrations before a start (`start --run-migrations`). An embedded store gets its tables at the
/// start itself, and without a database there are none. A PostgreSQL that is gone is left to the start, which may do
/// without it for now.
///
/// # Errors
/// When there are no tables yet, or the database cannot be used.
pub(super) fn up(settings: &Settings, patience: Patience) -> Result<(), String> {
    match settings.database {
        Database::Off | Database::Sqlite(_) => Ok(()),
        Database::Postgres(_) => {
            let tables = Tables::open(settings, patience, false)?;
            match tables.runtime.block_on(tables.migrate.migrations()) {
                Err(error) if error.trouble() == Trouble::Unreachable => {
                    terminal::warn(format_args!("{error}; no migrations are run"));
                    Ok(())
                }
                _ => tables.run(Phase::Up).map(drop),
            }
        }
    }
}

/// What Kong calls a database.
fn name(settings: &Settings) -> String {
    match &settings.database {
        Database::Postgres(found) => found.database.clone(),
        Database::Sqlite(path) => path.display().to_string(),
        Database::Off => "off".to_owned(),
    }
}

impl Tables {
    fn open(settings: &Settings, patience: Patience, is_quiet: bool) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
        let migrate = {
            let _entered = runtime.enter();
            store::migrate(settings, patience)?
        };
        Ok(Self { migrate, runtime, name: name(settings), is_quiet })
    }

    fn state(&self) -> Result<State, String> {
        self.runtime.block_on(self.migrate.migrations()).map_err(|error| error.to_string())
    }

    /// Runs a phase and tells what was done; answers how much.
    fn run(&self, phase: Phase) -> Result<usize, String> {
        let progress = (!self.is_quiet).then(|| Progress::of("waiting for the database and running migrations"));
        let steps = self.runtime.block_on(self.migrate.run(phase)).map_err(|error| error.to_string())?;
        drop(progress);
        let Some(last) = steps.last() else {
            return Ok(0);
        };
        let (name, count) = (&self.name, steps.len());
        self.say(format_args!("migrating towergate on database '{name}'..."));
        let state = if self.state()?.pending.contains(last) { "pending" } else { "executed" };
        self.say(format_args!("towergate migrated up to: {last} ({state})"));
        self.say(format_args!("{count} migration{} processed", if count == 1 { "" } else { "s" }));
        Ok(count)
    }

    fn say(&self, line: impl Display) {
        if !self.is_quiet {
            terminal::say(line);
        }
    }
}

/// What is left to do as an exit code: Kong's.
fn code(state: &State) -> ExitCode {
    match state {
        State { needs_bootstrap: true, .. } => ExitCode::from(3),
        State { pending, .. } if !pending.is_empty() => ExitCode::from(4),
        State { new, .. } if !new.is_empty() => ExitCode::from(5),
        State { .. } => ExitCode::SUCCESS,
    }
}
