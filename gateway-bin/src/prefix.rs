//! The prefix: the folder with the pid file and the logs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use towergate_config::{Settings, settings::Origin};

/// The pid file of a running gateway; removed with this.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes this process's id to `<prefix>/pids/nginx.pid`, where operators' scripts look for it.
    ///
    /// Nothing is written when the prefix is the default one and it may not be made: whoever only
    /// tries the gateway out needs no folder in `/usr/local`.
    ///
    /// # Errors
    /// When a prefix that was asked for cannot be written to.
    pub(crate) fn write(settings: &Settings) -> Result<Option<Self>, String> {
        let path = settings.prefix.join("pids").join("nginx.pid");
        match write(&path) {
            Ok(()) => Ok(Some(Self { path })),
            Err(_) if settings.origin("prefix") == Origin::Default => Ok(None),
            Err(error) => Err(format!("cannot write {}: {error}; choose another folder with --prefix", path.display())),
        }
    }
}

fn write(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, format!("{}\n", std::process::id()))
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Somebody else may have removed it, or the folder.
        let _ = fs::remove_file(&self.path);
    }
}
