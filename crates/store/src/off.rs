//! Without a database: in memory, with the last configuration in a file.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::{Mutex, watch};

use crate::{Answer, Commit, CommitError, News, Seal, Snapshot, Store, StoreError, Version, file::File, held::Held};

/// A store in memory. What was last committed stands in a file, if there is to be one, and is there
/// again after a start.
#[derive(Debug)]
pub struct Off {
    held: Mutex<Arc<Held>>,
    version: watch::Sender<Version>,
    file: Option<Arc<File>>,
}

impl Off {
    /// A store that forgets everything when the process ends.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::with(Held::default(), None)
    }

    /// A store that begins with what it kept in this file; empty if there is no such file. Folders on
    /// the way to it are made.
    ///
    /// # Errors
    /// The file is there and cannot be read, or its secrets not be decrypted.
    pub fn open(path: impl Into<PathBuf>, seal: Seal) -> Result<Self, StoreError> {
        let file = File { path: path.into(), seal };
        let held = file.read()?.map(Held::of).unwrap_or_default();
        Ok(Self::with(held, Some(file)))
    }

    fn with(held: Held, file: Option<File>) -> Self {
        let version = watch::Sender::new(held.version());
        Self { held: Mutex::new(Arc::new(held)), version, file: file.map(Arc::new) }
    }

    async fn take(&self, commit: Commit) -> Result<Version, CommitError> {
        let mut held = self.held.lock().await;
        let (before, file) = (held.clone(), self.file.clone());
        // Sorting and writing thousands of entities takes long enough to keep others waiting.
        let written = tokio::task::spawn_blocking(move || {
            let next = before.after(commit)?;
            if let Some(file) = &file {
                file.write(&next)?;
            }
            Ok::<_, CommitError>(next)
        });
        let next = written.await.map_err(|error| StoreError::failed("cannot keep the configuration", error))??;
        let version = next.version();
        *held = Arc::new(next);
        self.version.send_replace(version);
        Ok(version)
    }
}

impl Store for Off {
    fn kind(&self) -> &'static str {
        "off"
    }

    fn load(&self) -> Answer<'_, Result<Snapshot, StoreError>> {
        Box::pin(async { Ok(self.held.lock().await.snapshot()) })
    }

    fn since(&self, version: Version) -> Answer<'_, Result<News, StoreError>> {
        Box::pin(async move { Ok(self.held.lock().await.since(version)) })
    }

    fn commit(&self, commit: Commit) -> Answer<'_, Result<Version, CommitError>> {
        Box::pin(self.take(commit))
    }

    fn changed(&self, since: Version) -> Answer<'_, Result<Version, StoreError>> {
        Box::pin(async move {
            let mut watched = self.version.subscribe();
            let changed = watched.wait_for(|version| *version != since).await;
            changed.map(|version| *version).map_err(|error| StoreError::failed("the store is gone", error))
        })
    }

    fn reachable(&self) -> Answer<'_, bool> {
        Box::pin(async { true })
    }
}
