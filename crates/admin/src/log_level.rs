//! `/debug/node/log-level`: how much the gateway's own log tells, for a while.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::Response,
};
use http::StatusCode;
use serde::Deserialize;
use towergate_config::settings::LogLevel;

use crate::{Admin, answer::message, in_path::InPath};

/// How long a level counts, where the caller does not say it.
const DEFAULT_TIMEOUT: f64 = 60.0;

/// The longest time that is told from "for ever".
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// The level of the gateway's own log: the settings' one, or another for a while.
pub struct LogLevels {
    state: Mutex<Current>,
    apply: Box<dyn Fn(LogLevel) + Send + Sync>,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    /// The settings' level.
    configured: LogLevel,
    level: LogLevel,
    /// Counts changes, so that the end of one does not undo a later one.
    change: u64,
}

impl LogLevels {
    /// The settings' level, and what puts another into force.
    pub fn new(configured: LogLevel, apply: impl Fn(LogLevel) + Send + Sync + 'static) -> Self {
        let state = Mutex::new(Current { configured, level: configured, change: 0 });
        Self { state, apply: Box::new(apply) }
    }

    /// The level in force.
    pub fn current(&self) -> LogLevel {
        self.lock().level
    }

    /// Takes another level from the settings, which ends whatever was asked for meanwhile.
    pub fn configure(&self, configured: LogLevel) {
        let mut current = self.lock();
        if current.configured != configured {
            *current = Current { configured, level: configured, change: current.change.wrapping_add(1) };
            (self.apply)(configured);
        }
    }

    /// Puts a level into force; answers the number of the change.
    fn change(&self, level: LogLevel) -> u64 {
        let mut current = self.lock();
        *current = Current { level, change: current.change.wrapping_add(1), ..*current };
        (self.apply)(level);
        current.change
    }

    /// Goes back to the settings' level, unless there was another change since this one.
    fn end(&self, change: u64) {
        let mut current = self.lock();
        if current.change == change {
            current.level = current.configured;
            (self.apply)(current.level);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for LogLevels {
    /// Kong's default level, for a log that is not ours to change.
    fn default() -> Self {
        Self::new(LogLevel::Notice, |_| {})
    }
}

impl fmt::Debug for LogLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLevels").field("state", &self.state).finish_non_exhaustive()
    }
}

/// What may be asked for beside the level.
#[derive(Debug, Deserialize)]
pub(crate) struct Options {
    timeout: Option<f64>,
}

pub(crate) async fn show(State(admin): State<Arc<Admin>>) -> Response {
    message(StatusCode::OK, &format!("log level: {}", admin.log_levels.current().name()))
}

/// Puts a level into force for `timeout` seconds; 0 goes back to the settings' level at once.
pub(crate) async fn set(
    State(admin): State<Arc<Admin>>,
    InPath(name): InPath<String>,
    options: Result<Query<Options>, QueryRejection>,
) -> Response {
    // What is no number counts as not said, as in Kong.
    let timeout = options.ok().and_then(|Query(options)| options.timeout).unwrap_or(DEFAULT_TIMEOUT).ceil();
    let Some(level) = LogLevel::ALL.into_iter().find(|level| level.name() == name) else {
        return message(StatusCode::BAD_REQUEST, &format!("unknown log level: {name}"));
    };
    if timeout < 0.0 {
        return message(StatusCode::BAD_REQUEST, "timeout must be greater than or equal to 0");
    }
    if admin.log_levels.current() == level {
        return message(StatusCode::OK, &format!("log level is already {name}"));
    }
    let change = admin.log_levels.change(level);
    let timeout = Duration::try_from_secs_f64(timeout).unwrap_or(LONGEST).min(LONGEST);
    if timeout.is_zero() {
        admin.log_levels.end(change);
    } else {
        tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            admin.log_levels.end(change);
        });
    }
    message(StatusCode::OK, "log level changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_change_does_not_undo_a_later_one() {
        let applied = Arc::new(Mutex::new(Vec::new()));
        let seen = applied.clone();
        let levels = LogLevels::new(LogLevel::Notice, move |level| seen.lock().unwrap().push(level));
        let first = levels.change(LogLevel::Debug);
        let second = levels.change(LogLevel::Error);
        levels.end(first);
        assert_eq!(levels.current(), LogLevel::Error);
        levels.end(second);
        assert_eq!(levels.current(), LogLevel::Notice);
        assert_eq!(*applied.lock().unwrap(), [LogLevel::Debug, LogLevel::Error, LogLevel::Notice]);
    }

    #[test]
    fn the_settings_may_change() {
        let levels = LogLevels::new(LogLevel::Notice, |_| {});
        let change = levels.change(LogLevel::Debug);
        levels.configure(LogLevel::Notice);
        assert_eq!(levels.current(), LogLevel::Debug, "nothing new");
        levels.configure(LogLevel::Warn);
        assert_eq!(levels.current(), LogLevel::Warn);
        levels.end(change);
        assert_eq!(levels.current(), LogLevel::Warn);
        let change = levels.change(LogLevel::Debug);
        levels.end(change);
        assert_eq!(levels.current(), LogLevel::Warn, "back to the newer one");
    }
}
