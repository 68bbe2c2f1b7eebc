//! Connections to the server.

use std::{error::Error, time::Duration};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, config::SslMode, error::SqlState};

use super::{PostgresSettings, tls::Tls};
use crate::{StoreError, Trouble};

/// How connections are made.
pub(super) struct Connecting {
    settings: PostgresSettings,
    config: Config,
    /// What is said first on each.
    greeting: String,
}

/// The channel on which commits are told.
pub(super) const CHANNEL: &str = "towergate";

impl Connecting {
    pub(super) fn new(settings: PostgresSettings) -> Self {
        let mut config = Config::new();
        config
            .host(&settings.host)
            .port(settings.port)
            .dbname(&settings.database)
            .user(&settings.user)
            .application_name("towergate")
            .connect_timeout(settings.timeout)
            .tcp_user_timeout(settings.timeout)
            .keepalives_idle(settings.timeout)
            .ssl_mode(if settings.tls.is_some() { SslMode::Require } else { SslMode::Disable });
        if let Some(password) = &settings.password {
            config.password(password);
        }
        let greeting = greeting(&settings);
        Self { settings, config, greeting }
    }

    pub(super) fn settings(&self) -> &PostgresSettings {
        &self.settings
    }

    pub(super) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// A new connection. Whenever the server tells something on it, or it ends, `told` is called.
    pub(super) async fn connect(&self, told: impl Fn() + Send + 'static) -> Result<Client, StoreError> {
        let PostgresSettings { host, port, database, .. } = &self.settings;
        let doing = format!("cannot connect to the PostgreSQL at {host}:{port} (database '{database}')");
        let client = match &self.settings.tls {
            None => {
                let (client, connection) = timed(self.timeout(), &doing, self.config.connect(NoTls)).await?;
                tokio::spawn(drive(connection, told));
                client
            }
            Some(tls) => {
                let connected = self.config.connect(Tls(tls.clone()));
                let (client, connection) = timed(self.timeout(), &doing, connected).await?;
                tokio::spawn(drive(connection, told));
                client
            }
        };
        timed(self.timeout(), &doing, client.batch_execute(&self.greeting)).await?;
        Ok(client)
    }
}

/// A node that hangs must not keep the others waiting for what it has locked.
fn greeting(settings: &PostgresSettings) -> String {
    let milliseconds = settings.timeout.as_millis();
    let schema = settings.schema.as_ref().map(|schema| format!("SET search_path TO {};", quoted(schema)));
    format!(
        "SET statement_timeout = {milliseconds}; SET lock_timeout = {milliseconds}; \
         SET idle_in_transaction_session_timeout = {milliseconds}; SET client_min_messages = warning; {}",
        schema.unwrap_or_default()
    )
}

/// An identifier as SQL writes any.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn drive<S, T>(mut connection: Connection<S, T>, told: impl Fn())
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    // An error ends it as well; whoever uses the connection next learns of it.
    while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
        if matches!(message, AsyncMessage::Notification(_)) {
            told();
        }
    }
    drop(connection);
    told();
}

/// Waits for an answer, but not for ever.
pub(super) async fn timed<T>(
    timeout: Duration,
    doing: &str,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(timeout, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(trouble(doing, &error)),
        Err(_) => {
            let milliseconds = timeout.as_millis();
            let what = format!("{doing}: no answer within {milliseconds} ms (pg_timeout)");
            Err(StoreError::new(Trouble::Unreachable, what))
        }
    }
}

fn trouble(doing: &str, error: &tokio_postgres::Error) -> StoreError {
    let Some(said) = error.as_db_error() else {
        return StoreError::new(Trouble::Unreachable, format!("{doing}: {}", causes(error)));
    };
    let is_passing = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::QUERY_CANCELED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    match said.code() {
        code if *code == SqlState::UNDEFINED_TABLE => {
            StoreError::new(Trouble::Unprepared, "Database needs bootstrapping; run 'towergate migrations bootstrap'")
        }
        code if is_passing.contains(code) => {
            StoreError::new(Trouble::Unreachable, format!("{doing}: {}", said.message()))
        }
        _ => StoreError::new(Trouble::Failed, format!("{doing}: {}", said.message())),
    }
}

/// The error and what it says to be the cause of it.
fn causes(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}
