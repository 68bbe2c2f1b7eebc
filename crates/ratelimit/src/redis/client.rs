//! A client whose connections come back by themselves: one for each worker.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{Cmd, ErrorKind, RedisError, RetryMethod, ServerErrorKind, Value};
use tokio::{sync::Mutex, time::timeout};
use towergate_core::PerWorker;

use super::{
    connect::{Connection, Connector},
    failures::Failures,
    script::Call,
    settings::Settings,
};
use crate::store::StoreError;

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
#[derive(Default)]
struct Link {
    /// Absent while a connection is made beside requests.
    connector: Option<Connector>,
    open: Option<Connection>,
    /// How often a connection was made: what failed on an earlier one says nothing of this one.
    generation: u64,
    /// Attempts that failed since the last connection, and what became of the last.
    failed: u32,
    error: String,
    not_before: Option<Instant>,
    connecting: bool,
}

impl Worker {
    fn new(settings: Settings, failures: Arc<Failures>) -> Self {
        Self { settings, failures, link: Mutex::default() }
    }

    /// Calls a script. A connection that turns out to be broken is replaced once, at once.
    pub(crate) async fn call(self: &Arc<Self>, call: &Call) -> Result<Value, StoreError> {
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

    /// The open connection, or a new one, for which a request waits. Once that has failed requests wait
    /// no more: others are tried beside them.
    async fn connection(self: &Arc<Self>) -> Result<(Connection, u64), StoreError> {
        let mut link = self.link.lock().await;
        if let Some(connection) = &link.open {
            return Ok((connection.clone(), link.generation));
        }
        if link.failed > 0 {
            if !link.connecting && link.not_before.is_none_or(|moment| moment <= Instant::now()) {
                link.connecting = true;
                tokio::spawn(self.clone().connect_beside());
            }
            return Err(self.failure(&link.error));
        }
        let connector = link.connector.take();
        let (connector, connected) = self.connect(connector).await;
        self.note(&mut link, connector, connected);
        match &link.open {
            Some(connection) => Ok((connection.clone(), link.generation)),
            None => Err(self.failure(&link.error)),
        }
    }

    /// Tries once more, while requests go on without a connection.
    async fn connect_beside(self: Arc<Self>) {
        let connector = self.link.lock().await.connector.take();
        let (connector, connected) = self.connect(connector).await;
        self.note(&mut *self.link.lock().await, connector, connected);
    }

    async fn connect(&self, connector: Option<Connector>) -> (Option<Connector>, Result<Connection, String>) {
        let mut connector = match connector.map_or_else(|| Connector::new(&self.settings), Ok) {
            Ok(connector) => connector,
            Err(error) => return (None, Err(error.to_string())),
        };
        let connected = match timeout(self.settings.connect_timeout, connector.connect()).await {
            Ok(connected) => connected.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no connection within {:?}", self.settings.connect_timeout)),
        };
        (Some(connector), connected)
    }

    /// Notes how an attempt went.
    fn note(&self, link: &mut Link, connector: Option<Connector>, connected: Result<Connection, String>) {
        (link.connector, link.connecting) = (connector, false);
        match connected {
            Ok(connection) => {
                link.open = Some(connection);
                link.generation = link.generation.wrapping_add(1);
                (link.failed, link.not_before) = (0, None);
                self.failures.connected();
            }
            Err(error) => {
                link.not_before = Some(Instant::now() + pause(link.failed));
                link.failed = link.failed.saturating_add(1);
                link.error = error;
            }
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
