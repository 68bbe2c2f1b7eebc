//! The thread of an SQLite connection, which blocks so that nobody else does.

use std::{
    fmt, fs,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use super::tables::State;
use crate::{Answer, StoreError, Trouble, Version};

/// How long another process's commit is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// A thread with a connection.
pub(super) struct Thread {
    jobs: mpsc::Sender<Job>,
    version: watch::Receiver<Version>,
}

/// Something to do; what it returns tells whoever waits for it.
type Job = Box<dyn FnOnce(&mut Connection) -> Box<dyn FnOnce() + Send> + Send>;

/// What goes wrong on the thread.
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl Thread {
    pub(super) fn start(path: &Path, update_frequency: Duration) -> Result<Self, StoreError> {
        let failed = |error: &dyn fmt::Display| StoreError::failed(format!("cannot open {}", path.display()), error);
        make(path).map_err(|error| failed(&error))?;
        let connection = connect(path).map_err(|error| failed(&error))?;
        let ((jobs, asked), (told, version)) = (mpsc::channel(), watch::channel(Version::default()));
        let mut serving = Serving { connection, asked, told, seen: (0, 0), update_frequency };
        serving.look();
        let thread = std::thread::Builder::new().name("sqlite".to_owned()).spawn(move || serving.serve());
        thread.map_err(|error| failed(&error))?;
        Ok(Self { jobs, version })
    }

    /// Does something on the thread. It is done even if nobody waits for it any more.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Answer<'static, Result<T, StoreError>> {
        let (answer, answered) = oneshot::channel();
        let sent = self.jobs.send(Box::new(move |connection| {
            let done = work(connection);
            Box::new(move || drop(answer.send(done)))
        }));
        Box::pin(async move {
            let gone = || StoreError::new(Trouble::Failed, "the thread of the database has ended");
            sent.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?.map_err(|failure| failure.into_error(doing))
        })
    }

    pub(super) fn changed(&self, since: Version) -> Answer<'static, Result<Version, StoreError>> {
        let mut version = self.version.clone();
        Box::pin(async move {
            let changed = version.wait_for(|version| *version != since).await;
            changed.map(|version| *version).map_err(|error| StoreError::failed("the database is closed", error))
        })
    }
}

/// What the thread works with.
struct Serving {
    connection: Connection,
    asked: mpsc::Receiver<Job>,
    told: watch::Sender<Version>,
    /// What others and we had changed when the version was last read.
    seen: (i64, u64),
    update_frequency: Duration,
}

impl Serving {
    fn serve(mut self) {
        loop {
            match self.asked.recv_timeout(self.update_frequency) {
                Ok(job) => {
                    let answer = job(&mut self.connection);
                    // Whoever committed finds its own version told already.
                    self.look();
                    answer();
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Tells the version, if anybody has changed anything.
    fn look(&mut self) {
        let by_others = self.connection.pragma_query_value(None, "data_version", |row| row.get(0));
        let seen = (by_others.unwrap_or_default(), self.connection.total_changes());
        if seen == self.seen {
            return;
        }
        // Without tables there is nothing to tell.
        if let Ok(state) = self.connection.transaction().and_then(|transaction| State::read(&transaction)) {
            self.seen = seen;
            self.told.send_replace(state.version);
        }
    }
}

/// Makes a file that only its owner may read, for it may hold secrets; SQLite's other files follow it.
fn make(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(connection)
}

impl Failure {
    fn into_error(self, doing: &str) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Sqlite(error) if error.to_string().contains("no such table") => StoreError::new(
                Trouble::Unprepared,
                "Database needs bootstrapping; run 'towergate migrations bootstrap'",
            ),
            Self::Sqlite(error) => StoreError::failed(doing, error),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("version", &*self.version.borrow()).finish_non_exhaustive()
    }
}
