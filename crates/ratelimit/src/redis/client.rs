//! A client whose connections come back by themselves: one for each worker.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{Cmd, ErrorKind, RedisError, RetryMethod, ServerErrorKind, Value};
use tokio::{sync::Mutex, time::timeout};

use super::{
    connect::{Connection, Connector},
    failures::Failures,
    script::Call,
    settings::Settings,
};
use crate::{per_worker::PerWorker, store::StoreError};

/// The first and the longest pause between two attempts to connect; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A client of one store. Plugins with the same settings share it.
#[derive(Debug)]
pub(crate) struct RedisClient {
    workers: PerWorker<Worker>,
}

impl RedisClient {
    /// Connects when something is asked.
    pub(crate) fn new(settings: Settings) -> Self {
        let failures = Arc::new(Failures::new(settings.to_string()));
        Self { workers: PerWorker::new(move || Worker::new(settings.clone(), failures.clone())) }
    }

    /// This thread's connection.
    pub(crate) fn worker(&self) -> &Arc<Worker> {
        self.workers.own()
    }
}

/// The connection of one thread: made on the runtime that first needs it, shared by its requests,
/// whose commands are written one after the other without waiting for answers.
pub(crate) struct Worker {
    settings: Settings,
    failures: Arc<Failures>,
    link: Mutex<Link>,
}

/// The state of a connection.
struct Link {
    connector: Option<Connector>,
    open: Option<Connection>,
    /// How often a connection was made: what failed on an earlier one says nothing of this one.
    generation: u64,
    failed: u32,
    not_before: Option<Instant>,
}

impl Worker {
    fn new(settings: Settings, failures: Arc<Failures>) -> Self {
        let link = Link { connector: None, open: None, generation: 0, failed: 0, not_before: None };
        Self { settings, failures, link: Mutex::new(link) }
    }

    /// Calls a script. A connection that turns out to be broken is replaced once, at once.
    pub(crate) async fn call(&self, call: &Call) -> Result<Value, StoreError> {
        let mut again = true;
        loop {
            let (mut connection, generation) = self.connection().await?;
            match self.send(&mut connection, call).await {
                Ok(value) => return Ok(value),
                Err(fault) => {
                    if fault.reconnect {
                        self.close(generation).await;
                    }
                    if !(fault.reconnect && fault.at_once && std::mem::take(&mut again)) {
                        return Err(self.failure(&fault.text));
                    }
                }
            }
        }
    }

    /// By the script's hash; with its text if the server does not know it.
    async fn send(&self, connection: &mut Connection, call: &Call) -> Result<Value, Fault> {
        match self.answer(connection, &call.by_hash()).await {
            Err(fault) if fault.unknown_script => self.answer(connection, &call.by_text()).await,
            answer => answer,
        }
    }

    async fn answer(&self, connection: &mut Connection, command: &Cmd) -> Result<Value, Fault> {
        match timeout(self.settings.answer_timeout, connection.ask(command)).await {
            Ok(answer) => answer.map_err(|error| Fault::of(&error)),
            Err(_) => Err(Fault::timeout(self.settings.answer_timeout)),
        }
    }

    /// The open connection, or a new one. Whoever comes while one is made waits for that.
    async fn connection(&self) -> Result<(Connection, u64), StoreError> {
        let mut link = self.link.lock().await;
        if let Some(connection) = &link.open {
            return Ok((connection.clone(), link.generation));
        }
        if link.not_before.is_some_and(|moment| Instant::now() < moment) {
            return Err(self.failure("not connected"));
        }
        match self.connect(&mut link).await {
            Ok(connection) => {
                link.open = Some(connection.clone());
                link.generation = link.generation.wrapping_add(1);
                (link.failed, link.not_before) = (0, None);
                self.failures.connected();
                Ok((connection, link.generation))
            }
            Err(text) => {
                link.not_before = Some(Instant::now() + pause(link.failed));
                link.failed = link.failed.saturating_add(1);
                Err(self.failure(&text))
            }
        }
    }

    async fn connect(&self, link: &mut Link) -> Result<Connection, String> {
        let connector = match &mut link.connector {
            Some(connector) => connector,
            none => none.insert(Connector::new(&self.settings).map_err(|error| error.to_string())?),
        };
        match timeout(self.settings.connect_timeout, connector.connect()).await {
            Ok(connected) => connected.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no connection within {:?}", self.settings.connect_timeout)),
        }
    }

    /// Gives a broken connection up, unless it was replaced since.
    async fn close(&self, generation: u64) {
        let mut link = self.link.lock().await;
        if link.generation == generation {
            link.open = None;
        }
    }

    fn failure(&self, text: &str) -> StoreError {
        self.failures.failed(text);
        StoreError::new(text)
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn pause(failed: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failed)).min(LONGEST_PAUSE)
}

/// Why an answer did not come.
struct Fault {
    text: String,
    /// The server has not kept the script.
    unknown_script: bool,
    /// Another connection is needed.
    reconnect: bool,
    /// It can be tried again at once: what was sent has most probably not been done, and if it was,
    /// a request is counted once too often, which no limit minds.
    at_once: bool,
}

impl Fault {
    fn of(error: &RedisError) -> Self {
        let kind = error.kind();
        // A master that has become a replica, a server that does not have its data yet: sentinels may
        // know a better one.
        let elsewhere = matches!(
            kind,
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading)
        );
        let broken = error.is_io_error()
            || matches!(error.retry_method(), RetryMethod::Reconnect | RetryMethod::ReconnectFromInitialConnections);
        Self {
            text: error.to_string(),
            unknown_script: kind == ErrorKind::Server(ServerErrorKind::NoScript),
            reconnect: elsewhere || broken,
            at_once: elsewhere || (broken && !error.is_timeout()),
        }
    }

    fn timeout(waited: Duration) -> Self {
        Self { text: format!("no answer within {waited:?}"), unknown_script: false, reconnect: true, at_once: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_two_seconds() {
        let pauses: Vec<_> = [0, 1, 2, 5, 6, 99].map(|failed| pause(failed).as_millis()).into();
        assert_eq!(pauses, [50, 100, 200, 1600, 2000, 2000]);
    }
}
