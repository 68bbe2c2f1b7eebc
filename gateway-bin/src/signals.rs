//! What the outside asks of a running gateway: by signals, and by changing its files.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// What the outside asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Let requests in flight finish, then end (SIGTERM, SIGINT, SIGQUIT).
    Stop,
    /// Read everything again that can be read again (SIGHUP).
    Reload,
    /// The files of the declarative configuration changed.
    FilesChanged,
    /// Open the files of logs anew: they were moved away (SIGUSR1).
    ReopenLogs,
}

/// Where asks come from.
pub(crate) struct Asks {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    moved: Signal,
    changes: mpsc::Receiver<()>,
    /// Files have changed; they are read at this time unless they change again before.
    quiet_at: Option<Instant>,
    // Watches until it is dropped.
    _watcher: Option<RecommendedWatcher>,
    // Keeps the channel open.
    sender: mpsc::Sender<()>,
}

/// Editors and orchestrators change a file in several steps: reading waits until it has been quiet
/// for so long.
const QUIET: Duration = Duration::from_millis(50);

impl Asks {
    /// Listens to signals and to changes of these files and folders. Needs a tokio runtime.
    ///
    /// # Errors
    /// When signals cannot be listened to. Files that cannot be watched are only told in the log.
    pub(crate) fn new(files: &[PathBuf]) -> io::Result<Self> {
        let (sender, changes) = mpsc::channel(1);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            moved: signal(SignalKind::user_defined1())?,
            changes,
            quiet_at: None,
            _watcher: watched(files, &sender),
            sender,
        })
    }

    /// Listens to changes of these files and folders, and of no others any more.
    pub(crate) fn watch(&mut self, files: &[PathBuf]) {
        self._watcher = watched(files, &self.sender);
    }

    /// The next ask. Nothing is lost if the future is dropped before it is done.
    pub(crate) async fn next(&mut self) -> Ask {
        loop {
            let quiet_at = self.quiet_at;
            tokio::select! {
                _ = self.terminate.recv() => return Ask::Stop,
                _ = self.interrupt.recv() => return Ask::Stop,
                _ = self.quit.recv() => return Ask::Stop,
                _ = self.hangup.recv() => return Ask::Reload,
                _ = self.moved.recv() => return Ask::ReopenLogs,
                _ = self.changes.recv() => self.quiet_at = Some(Instant::now() + QUIET),
                () = sleep_until(quiet_at.unwrap_or_else(Instant::now)), if quiet_at.is_some() => {
                    self.quiet_at = None;
                    return Ask::FilesChanged;
                }
            }
        }
    }
}

/// Without a watcher changes are not seen, which is told.
fn watched(files: &[PathBuf], sender: &mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    watch(files, sender.clone()).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot watch the declarative configuration; a change needs SIGHUP");
        None
    })
}

/// Watches files by the folder they stand in, so that one replaced by renaming is still seen. Links
/// are not followed, so that a link that changes is seen, too.
fn watch(files: &[PathBuf], sender: mpsc::Sender<()>) -> notify::Result<Option<RecommendedWatcher>> {
    if files.is_empty() {
        return Ok(None);
    }
    let watched: Vec<_> = files.iter().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone())).collect();
    let concerned = watched.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let changed = event.is_ok_and(|event| {
            !event.kind.is_access() && event.paths.iter().any(|path| concerned.iter().any(|file| concerns(path, file)))
        });
        if changed {
            // A full channel means that a change is already waiting to be read.
            let _ = sender.try_send(());
        }
    })?;
    for file in &watched {
        let (folder, mode) = match (file.is_dir(), file.parent()) {
            (true, _) => (file.as_path(), RecursiveMode::Recursive),
            (false, Some(parent)) => (parent, RecursiveMode::NonRecursive),
            (false, None) => (file.as_path(), RecursiveMode::NonRecursive),
        };
        watcher.watch(folder, mode)?;
    }
    Ok(Some(watcher))
}

/// Whether a change at `path` is one of the watched file or of a file in the watched folder.
fn concerns(path: &Path, watched: &Path) -> bool {
    path == watched || path.starts_with(watched) || (is_kubernetes_swap(path) && path.parent() == watched.parent())
}

/// A mounted ConfigMap changes by swapping the link `..data` beside the file.
fn is_kubernetes_swap(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "..data")
}
