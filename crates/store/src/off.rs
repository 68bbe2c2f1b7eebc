//! Without a database: in memory, with the last configuration in a file.

use std::{path::PathBuf, sync::Arc};

use tokio::sync::{Mutex, watch};

use crate::{
    Answer, Changes, Commit, CommitError, Each, Entity, News, Seal, Snapshot, Store, StoreError, Version, file::File,
    held::Held,
};

/// A store in memory, or in a file, where what was last committed is there again after a start.
///
/// What stands in a file as a whole is not held in memory as well: there may be very much of it, and it is
/// in force already.
#[derive(Debug)]
pub struct Off {
    state: Mutex<State>,
    version: watch::Sender<Version>,
    file: Option<Arc<File>>,
}

#[derive(Debug, Clone)]
struct State {
    version: Version,
    /// The entities, unless the file has the same.
    held: Option<Arc<Held>>,
}

impl State {
    fn of(held: Held) -> Self {
        Self { version: held.version(), held: Some(Arc::new(held)) }
    }
}

impl Off {
    /// A store that forgets everything when the process ends.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::with(State::of(Held::default()), None)
    }

    /// A store that begins with what it kept in this file; empty if there is no such file. Folders on
    /// the way to it are made.
    ///
    /// # Errors
    /// The file is there and cannot be read, or its secrets not be decrypted.
    pub fn open(path: impl Into<PathBuf>, seal: Seal) -> Result<Self, StoreError> {
        let file = File { path: path.into(), seal };
        let state = match file.read()? {
            Some(snapshot) => State { version: snapshot.version, held: None },
            None => State::of(Held::default()),
        };
        Ok(Self::with(state, Some(file)))
    }

    /// A store that begins with nothing, whatever stands in this file: the first commit takes its place.
    #[must_use]
    pub fn anew(path: impl Into<PathBuf>, seal: Seal) -> Self {
        Self::with(State::of(Held::default()), Some(File { path: path.into(), seal }))
    }

    fn with(state: State, file: Option<File>) -> Self {
        let version = watch::Sender::new(state.version);
        Self { state: Mutex::new(state), version, file: file.map(Arc::new) }
    }

    async fn take(&self, commit: Commit) -> Result<Version, CommitError> {
        let mut state = self.state.lock().await;
        if commit.seen != state.version {
            return Err(CommitError::Conflict);
        }
        let (before, file) = (state.clone(), self.file.clone());
        // Sorting and writing thousands of entities takes long enough to keep others waiting.
        let written = aside(move || {
            let is_whole = matches!(commit.changes, Changes::All(_));
            let next = entities(&before, file.as_deref())?.after(commit)?;
            let Some(file) = &file else { return Ok(State::of(next)) };
            file.write(&next)?;
            Ok::<_, CommitError>(if is_whole { State { version: next.version(), held: None } } else { State::of(next) })
        });
        *state = written.await?;
        self.version.send_replace(state.version);
        Ok(state.version)
    }

    /// All that is given goes into the file as it comes.
    async fn stream(&self, file: Arc<File>, seen: Version, hash: String, each: Each) -> Result<Version, CommitError> {
        let mut state = self.state.lock().await;
        if seen != state.version {
            return Err(CommitError::Conflict);
        }
        let version = seen.next();
        aside(move || file.write_each(version, Some(&hash), each).map_err(CommitError::from)).await?;
        *state = State { version, held: None };
        self.version.send_replace(version);
        Ok(version)
    }

    /// The entities, read again if only the file has them.
    async fn held(&self) -> Result<Arc<Held>, StoreError> {
        let state = self.state.lock().await;
        let (state, file) = (state.clone(), self.file.clone());
        aside(move || entities(&state, file.as_deref())).await
    }
}

fn entities(state: &State, file: Option<&File>) -> Result<Arc<Held>, StoreError> {
    match (&state.held, file) {
        (Some(held), _) => Ok(held.clone()),
        (None, Some(file)) => Ok(Arc::new(file.read()?.map(Held::of).unwrap_or_default())),
        (None, None) => Ok(Arc::default()),
    }
}

fn collected(each: Each) -> Vec<Entity> {
    let mut entities = Vec::new();
    each(&mut |entity| entities.push(entity));
    entities
}

/// Does what takes long where it keeps nobody waiting.
async fn aside<T: Send + 'static, E: From<StoreError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| StoreError::failed("cannot keep the configuration", error))?
}

impl Store for Off {
    fn kind(&self) -> &'static str {
        "off"
    }

    fn load(&self) -> Answer<'_, Result<Snapshot, StoreError>> {
        Box::pin(async { Ok(self.held().await?.snapshot()) })
    }

    fn since(&self, version: Version) -> Answer<'_, Result<News, StoreError>> {
        Box::pin(async move { Ok(self.held().await?.since(version)) })
    }

    fn commit(&self, commit: Commit) -> Answer<'_, Result<Version, CommitError>> {
        Box::pin(self.take(commit))
    }

    fn replace(&self, seen: Version, hash: String, each: Each) -> Answer<'_, Result<Version, CommitError>> {
        match self.file.clone() {
            Some(file) => Box::pin(self.stream(file, seen, hash, each)),
            None => Box::pin(self.take(Commit::of_all(seen, collected(each)).with_hash(hash))),
        }
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
