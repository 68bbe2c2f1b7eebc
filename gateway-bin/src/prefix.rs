//! The prefix: the folder with the pid file, the control socket, certificates and logs.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
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

/// The locked file, unless it is locked already.
fn write(path: &Path) -> io::Result<Option<File>> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    if !lock(&file)? {
        return Ok(None);
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    Ok(Some(file))
}

/// Somebody who looks whether it is locked keeps it for a moment.
fn lock(file: &File) -> io::Result<bool> {
    const TRIES: usize = 10;
    const PAUSE: Duration = Duration::from_millis(10);
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody else may have removed it, or the folder.
        let _ = fs::remove_file(&self.path);
    }
}

/// A gateway that runs in a prefix, seen from outside.
#[derive(Debug)]
pub(crate) struct Running {
    pid: Pid,
    file: File,
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
        Some(Self { pid, file })
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

    /// Waits until it has ended, but not longer than this; answers whether it has.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        const PAUSE: Duration = Duration::from_millis(20);
        let rounds = limit.as_millis().div_ceil(PAUSE.as_millis());
        for _ in 0..rounds {
            if !is_locked(&self.file) {
                return true;
            }
            thread::sleep(PAUSE);
        }
        !is_locked(&self.file)
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
        assert!(!running.wait(Duration::from_millis(30)));
        drop(locked);
        assert!(running.wait(Duration::from_secs(5)));
    }
}
