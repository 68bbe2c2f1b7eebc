//! A PostgreSQL that nodes share.

mod connect;
mod listen;
mod migrate;
mod tables;
mod tls;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Mutex, MutexGuard, watch},
    task::JoinHandle,
};
use tokio_postgres::Client;

use crate::{Answer, Commit, CommitError, News, Seal, Snapshot, Store, StoreError, Version};
use connect::{Connecting, timed};

/// Where a PostgreSQL is and how it is spoken to.
#[derive(Clone)]
pub struct PostgresSettings {
    /// Its name or address, or the folder of its socket.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The schema of the tables; none is the first of the user's search path.
    pub schema: Option<String>,
    /// Who we are.
    pub user: String,
    /// How we prove it.
    pub password: Option<String>,
    /// How long it may take to connect, and to answer one query.
    pub timeout: Duration,
    /// How TLS is spoken; none is in the clear.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// How often it is asked for changes, in case that it does not tell them (`LISTEN`).
    pub update_frequency: Duration,
    /// How long a [`Phase`](crate::Phase) waits for another node that runs one.
    pub lock_timeout: Duration,
    /// A replica. Everything is read there, as a node does when it starts; also while the server itself is not in reach. What
    /// has changed since is asked of the server, which never lags behind.
    pub replica: Option<Box<PostgresSettings>>,
}

/// A store in a PostgreSQL, for many nodes. Its tables (`towergate_…`) leave those of a Kong alone.
///
/// It holds two connections: one for what it is asked, one to be told what others commit. While the
/// server is not in reach it tries again with growing pauses.
pub struct Postgres {
    shared: Arc<Shared>,
    runtime: Handle,
    update_frequency: Duration,
    /// Begun by the first who waits for changes.
    listening: OnceLock<JoinHandle<()>>,
}

/// What the store and its listener have in common.
struct Shared {
    connecting: Connecting,
    replica: Option<Connecting>,
    seal: Seal,
    client: Mutex<Option<Client>>,
    /// None before it was asked for.
    version: watch::Sender<Option<Version>>,
}

impl Postgres {
    /// Connects when it is asked something. Its tasks run on the runtime that this is called on.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(mut settings: PostgresSettings, seal: Seal) -> Self {
        let update_frequency = settings.update_frequency;
        let replica = settings.replica.take().map(|replica| Connecting::new(*replica));
        let connecting = Connecting::new(settings);
        let version = watch::Sender::new(None);
        let shared = Arc::new(Shared { connecting, replica, seal, client: Mutex::new(None), version });
        Self { shared, runtime: Handle::current(), update_frequency, listening: OnceLock::new() }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.get() {
            listening.abort();
        }
    }
}

/// The connection, for whoever asks something. It is used again only if it is put back: not after a
/// failure, nor when the future that has it is dropped in the middle of something.
struct Lease<'a> {
    place: MutexGuard<'a, Option<Client>>,
    client: Client,
}

impl Lease<'_> {
    fn put_back(mut self) {
        *self.place = Some(self.client);
    }
}

impl Shared {
    /// A connection that answered just now; a new one if there is none.
    async fn lease(&self) -> Result<Lease<'_>, StoreError> {
        let mut place = self.client.lock().await;
        if let Some(client) = place.take().filter(|client| !client.is_closed())
            && timed(self.timeout(), "", client.batch_execute("")).await.is_ok()
        {
            return Ok(Lease { place, client });
        }
        let client = self.connecting.connect(|| {}).await?;
        Ok(Lease { place, client })
    }

    fn timeout(&self) -> Duration {
        self.connecting.timeout()
    }

    /// A replica may lag behind: whoever begins with what it has is told of what is newer by the server itself.
    async fn load(&self) -> Result<Snapshot, StoreError> {
        if let Some(replica) = &self.replica {
            match self.load_from(replica).await {
                Ok(snapshot) => return Ok(snapshot),
                Err(error) => tracing::warn!("{error}; the replica (pg_ro_host) is not read from"),
            }
        }
        let mut lease = self.lease().await?;
        let snapshot = self.snapshot(&mut lease.client, self.timeout()).await?;
        lease.put_back();
        Ok(snapshot)
    }

    async fn load_from(&self, replica: &Connecting) -> Result<Snapshot, StoreError> {
        let mut client = replica.connect(|| {}).await?;
        self.snapshot(&mut client, replica.timeout()).await
    }

    async fn snapshot(&self, client: &mut Client, timeout: Duration) -> Result<Snapshot, StoreError> {
        let transaction = tables::reading(client, timeout).await?;
        tables::snapshot(&transaction, timeout, &self.seal).await
    }

    async fn since(&self, version: Version) -> Result<News, StoreError> {
        let mut lease = self.lease().await?;
        let transaction = tables::reading(&mut lease.client, self.timeout()).await?;
        let news = tables::news(&transaction, self.timeout(), version, &self.seal).await?;
        drop(transaction);
        lease.put_back();
        Ok(news)
    }

    async fn commit(&self, commit: Commit) -> Result<Version, CommitError> {
        let mut lease = self.lease().await?;
        let transaction = timed(self.timeout(), COMMITTING, lease.client.transaction()).await?;
        let version = tables::take(&transaction, self.timeout(), commit, &self.seal).await?;
        match version {
            Some(_) => timed(self.timeout(), COMMITTING, transaction.commit()).await?,
            None => timed(self.timeout(), COMMITTING, transaction.rollback()).await?,
        }
        lease.put_back();
        let version = version.ok_or(CommitError::Conflict)?;
        self.version.send_replace(Some(version));
        Ok(version)
    }
}

const COMMITTING: &str = "cannot commit to the PostgreSQL";

impl Store for Postgres {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn load(&self) -> Answer<'_, Result<Snapshot, StoreError>> {
        Box::pin(self.shared.load())
    }

    fn since(&self, version: Version) -> Answer<'_, Result<News, StoreError>> {
        Box::pin(self.shared.since(version))
    }

    fn commit(&self, commit: Commit) -> Answer<'_, Result<Version, CommitError>> {
        Box::pin(self.shared.commit(commit))
    }

    fn changed(&self, since: Version) -> Answer<'_, Result<Version, StoreError>> {
        let listen = || self.runtime.spawn(listen::listen(self.shared.clone(), self.update_frequency));
        self.listening.get_or_init(listen);
        let mut version = self.shared.version.subscribe();
        Box::pin(async move {
            let changed = version.wait_for(|version| version.is_some_and(|version| version != since)).await;
            let version = changed.map(|version| version.unwrap_or_default());
            version.map_err(|error| StoreError::failed("the store is gone", error))
        })
    }

    fn reachable(&self) -> Answer<'_, bool> {
        Box::pin(async { self.shared.lease().await.map(Lease::put_back).is_ok() })
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("settings", self.shared.connecting.settings()).finish_non_exhaustive()
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, database, user, .. } = self;
        write!(f, "{user}@{host}:{port}/{database}")
    }
}
