//! An embedded database: a file, for one node and the commands beside it.

mod migrate;
mod tables;
mod thread;

use std::{path::Path, sync::Arc, time::Duration};

use rusqlite::TransactionBehavior;

use crate::{Answer, Commit, CommitError, News, Seal, Snapshot, Store, StoreError, Version};
use tables::State;
use thread::Thread;

/// A store in an SQLite file.
///
/// What was committed is on the disk (write-ahead log, `synchronous=FULL`). Several processes of one
/// machine may use the file at the same time; it must not lie on a network's file system.
#[derive(Debug)]
pub struct Sqlite {
    thread: Thread,
    seal: Arc<Seal>,
}

impl Sqlite {
    /// Opens the file, which is made if it is not there, as are folders on the way to it. Its tables are
    /// not: see [`Migrate`](crate::Migrate). What other processes commit is noticed after so long.
    ///
    /// # Errors
    /// The file cannot be opened or is something else.
    pub fn open(path: &Path, seal: Seal, update_frequency: Duration) -> Result<Self, StoreError> {
        Ok(Self { thread: Thread::start(path, update_frequency)?, seal: Arc::new(seal) })
    }
}

impl Store for Sqlite {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn load(&self) -> Answer<'_, Result<Snapshot, StoreError>> {
        let seal = self.seal.clone();
        self.thread
            .ask("cannot load the configuration", move |connection| tables::snapshot(&connection.transaction()?, &seal))
    }

    fn since(&self, version: Version) -> Answer<'_, Result<News, StoreError>> {
        let seal = self.seal.clone();
        self.thread.ask("cannot load what has changed", move |connection| {
            tables::news(&connection.transaction()?, version, &seal)
        })
    }

    fn commit(&self, commit: Commit) -> Answer<'_, Result<Version, CommitError>> {
        let seal = self.seal.clone();
        let committed = self.thread.ask("cannot commit", move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let version = tables::take(&transaction, commit, &seal)?;
            if version.is_some() {
                transaction.commit()?;
            }
            Ok(version)
        });
        Box::pin(async { committed.await?.ok_or(CommitError::Conflict) })
    }

    fn changed(&self, since: Version) -> Answer<'_, Result<Version, StoreError>> {
        self.thread.changed(since)
    }

    fn reachable(&self) -> Answer<'_, bool> {
        let read = self.thread.ask("", |connection| Ok(State::read(&connection.transaction()?)?));
        Box::pin(async { read.await.is_ok() })
    }
}
