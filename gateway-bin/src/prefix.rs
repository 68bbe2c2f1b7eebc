//! The prefix: the folder with the pid file, the control socket, certificates and logs.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process, test_kill_process},
};
use towergate_config::{Settings, settings::Origin};

/// Where the pid file is, where operators' scripts look for it.
fn pid_path(prefix: &Path) -> PathBuf {
    prefix.join("pids").join("nginx.pid")
}

/// The pid file of a running gateway; removed with this.
///
/// It is locked for as long as the gateway runs: that tells a gateway from a number that was left behind by
/// one that was killed, and that may be somebody else's by now.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    // The lock ends with it.
    _locked: File,
}

impl PidFile {
    /// Writes this process's id to `<prefix>/pids/nginx.pid`.
    ///
    /// Nothing is written when the prefix is the default one and it may not be made: whoever only
    /// tries the gateway out needs no folder in `/usr/local`.
    ///
    /// # Errors
    /// When a prefix that was asked for cannot be written to, or another gateway runs there.
    pub(crate) fn write(settings: &Settings) -> Result<Option<Self>, String> {
        let path = pid_path(&settings.prefix);
        match write(&path) {
            Ok(Some(locked)) => Ok(Some(Self { path, _locked: locked })),
            // Kong's words.
            Ok(None) => Err(format!("Kong is already running in {}", settings.prefix.display())),
            Err(_) if settings.origin("prefix") == Origin::Default => Ok(None),
            Err(error) => Err(format!("cannot write {}: {error}; choose another folder with --prefix", path.display())),
        }
    }
}

/// The locked file, unless somebody else has locked it.
fn write(path: &Path) -> io::Result<Option<File>> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    for _ in 0..TRIES {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            // A gateway that has just ended has removed the file that was locked here.
            Ok(()) if is_at(&file, path) => {
                file.set_len(0)?;
                file.rewind()?;
                writeln!(file, "{}", std::process::id())?;
                return Ok(Some(file));
            }
            Ok(()) => {}
            // Somebody who looks whether it is locked keeps it for a moment.
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// How often a lock is tried for.
const TRIES: usize = 10;

/// The time between two tries, and two looks whether a process has ended.
const PAUSE: Duration = Duration::from_millis(10);

fn is_at(file: &File, path: &Path) -> bool {
    let same = |file: fs::Metadata, path: fs::Metadata| (file.dev(), file.ino()) == (path.dev(), path.ino());
    file.metadata().ok().zip(fs::metadata(path).ok()).is_some_and(|(file, path)| same(file, path))
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody else may have removed it, or the folder. It is removed while it is still locked, so that it
        // is nobody else's.
        let _ = fs::remove_file(&self.path);
    }
}

/// A gateway that runs in a prefix, seen from outside.
#[derive(Debug)]
pub(crate) struct Running {
    pid: Pid,
}

impl Running {
    /// The gateway that runs in this prefix, if one does.
    pub(crate) fn find(prefix: &Path) -> Option<Self> {
        let mut file = File::open(pid_path(prefix)).ok()?;
        if !is_locked(&file) {
            return None;
        }
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        let pid = Pid::from_raw(text.trim().parse().ok()?)?;
        Some(Self { pid })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it may not be signalled, or has ended.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), String> {
        kill_process(self.pid, signal).map_err(|error| format!("cannot signal process {}: {error}", self.pid()))
    }

    /// Waits until its process has ended, but not longer than this; answers whether it has.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        // One that is being stopped lets go of its pid file before it ends, so that the next can start.
        let is_there = || test_kill_process(self.pid) != Err(Errno::SRCH) && !self.has_ended();
        while is_there() && Instant::now() < end {
            thread::sleep(PAUSE);
        }
        !is_there()
    }

    /// Whether it has ended, and nobody has asked yet how: in a container there may be nobody who does.
    fn has_ended(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        // The name, in parentheses, may have anything in it.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
    }
}

fn is_locked(file: &File) -> bool {
    let locked = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    if !locked {
        let _ = file.unlock();
    }
    locked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_left_behind_is_no_running_gateway() {
        let folder = tempfile::tempdir().unwrap();
        let path = pid_path(folder.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Ourselves: a process that is there, and no gateway.
        fs::write(&path, format!("{}\n", std::process::id())).unwrap();
        assert!(Running::find(folder.path()).is_none());
        let locked = write(&path).unwrap().unwrap();
        assert!(write(&path).unwrap().is_none(), "twice in one prefix");
        let running = Running::find(folder.path()).unwrap();
        assert_eq!(running.pid(), i32::try_from(std::process::id()).unwrap());
        assert!(!running.wait(Duration::from_millis(30)), "we are still there");
        drop(locked);
        assert!(Running::find(folder.path()).is_none());
    }
}
