//! `towergate stop` and `towergate quit`.

use std::{process::ExitCode, thread, time::Duration};

use clap::Args;
use rustix::process::Signal;

use super::{Gateway, Run, running};
use crate::{cli::SettingsSource, control_socket, plugins::PluginSet, prefix::Running, terminal};

/// A gateway that was told to stop finishes what has begun within nine seconds.
const AT_MOST: Duration = Duration::from_secs(12);

/// How long it may take to end after everything was cut off: queues are delivered then.
const FAREWELL: Duration = Duration::from_secs(8);

/// Stop a running gateway: what has begun is finished, within nine seconds.
#[derive(Debug, Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    settings: SettingsSource,
}

/// Stop a running gateway, with time for load balancers to notice.
///
/// What has begun is finished within `--timeout` seconds.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  towergate quit --wait 15 --timeout 30   for load balancers that ask /status/ready")]
pub(crate) struct Quit {
    #[command(flatten)]
    settings: SettingsSource,
    /// Seconds after which requests that have not finished are cut off.
    #[arg(short, long, default_value_t = 10)]
    timeout: u64,
    /// Seconds to be not ready, and serve on, before it stops.
    #[arg(short, long, default_value_t = 0)]
    wait: u64,
}

impl Run for Stop {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        stop(&running(&self.settings)?.1)?;
        // Kong's words.
        terminal::say("Kong stopped");
        Ok(ExitCode::SUCCESS)
    }
}

/// Stops a gateway and waits until it is gone.
///
/// # Errors
/// When it cannot be told, or does not go.
pub(super) fn stop(gateway: &Running) -> Result<(), String> {
    gateway.signal(Signal::TERM)?;
    if gateway.wait(AT_MOST) { Ok(()) } else { Err(format!("process {} is still there", gateway.pid())) }
}

impl Run for Quit {
    fn run(self, _: Gateway<impl PluginSet>) -> Result<ExitCode, String> {
        let (prefix, gateway) = running(&self.settings)?;
        if self.wait > 0 {
            if let Err(error) = super::drain::drain(&prefix) {
                terminal::warn(format_args!("{error}; it stays ready while we wait"));
            }
            thread::sleep(Duration::from_secs(self.wait));
        }
        // As Kong, a second at least.
        let limit = Duration::from_secs(self.timeout.max(1));
        // By a signal nothing can be said: then it takes the time that `stop` gives it.
        if control_socket::ask(&prefix, "quit", &limit.as_secs().to_string()).is_err() {
            gateway.signal(Signal::QUIT)?;
        }
        if !gateway.wait(limit.saturating_add(FAREWELL)) {
            terminal::warn("it is not gone in time, and is killed");
            gateway.signal(Signal::KILL)?;
            gateway.wait(AT_MOST);
        }
        // Kong's words.
        terminal::say("Kong stopped (gracefully)");
        Ok(ExitCode::SUCCESS)
    }
}
