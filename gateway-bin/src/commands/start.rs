//! `towergate start`.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use towergate_config::{Settings, settings::Origin};

use super::{Gateway, OfNginx, Run, migrations};
use crate::{
    background,
    cli::Source,
    plugins::PluginSet,
    sources::{Sources, variables},
    start,
    store::Patience,
};

/// Start the gateway and serve until it is told to stop.
///
/// SIGTERM and SIGQUIT let requests in flight finish, SIGHUP reads the declarative
/// configuration again, as does a change of its files.
///
/// It stays in the foreground, as containers and systemd want it, unless --daemon or
/// nginx_daemon=on asks for the background; the command then ends when the gateway serves.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    towergate start kong.yml                         a file, or several, or folders\n  \
    towergate start -c /etc/kong/kong.conf --daemon  in the background\n  \
    KONG_DATABASE=off KONG_DECLARATIVE_CONFIG=/kong/kong.yml towergate start")]
pub(crate) struct Start {
    #[command(flatten)]
    arguments: StartArguments,
}

/// How a gateway is to be started.
#[derive(Debug, Args)]
pub(super) struct StartArguments {
    #[command(flatten)]
    pub(super) source: Source,
    /// Go into the background once it serves.
    #[arg(short, long)]
    daemon: bool,
    #[command(flatten)]
    nginx: OfNginx,
    /// Bring the tables of the database up to date first (`towergate migrations up`).
    #[arg(long)]
    run_migrations: bool,
    /// Seconds to wait for the database then.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    db_timeout: u64,
    /// Seconds to wait then for others who do the same.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    lock_timeout: u64,
}

impl Run for Start {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        self.arguments.run(gateway)
    }
}

impl Run for StartArguments {
    fn run(self, gateway: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        self.nginx.tell();
        let sources = Sources::read(&self.source, variables())?;
        if !background::is_inside() && (self.daemon || wants_background(&sources.settings)) {
            return background::start(&sources.settings);
        }
        if self.run_migrations {
            let (database, lock) = (Duration::from_secs(self.db_timeout), Duration::from_secs(self.lock_timeout));
            migrations::up(&sources.settings, Patience { database: Some(database), lock: Some(lock) })?;
        }
        start::start(gateway.plugins, sources, gateway.verbosity)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Kong's default is the background; here it has to be said.
fn wants_background(settings: &Settings) -> bool {
    ["nginx_daemon", "nginx_main_daemon"]
        .iter()
        .any(|name| settings.origin(name) != Origin::Default && settings.value(name) == Some("on"))
}
