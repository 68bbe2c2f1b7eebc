//! Where lines are written to.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// So many bytes are written at once.
const BATCH: usize = 64 * 1024;

/// A file, or a stream of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    path: PathBuf,
    reopens: bool,
}

/// All that one thread writes to, by their numbers.
#[derive(Default)]
pub(super) struct Targets(Vec<Open>);

struct Open {
    target: Target,
    out: Option<Box<dyn Write + Send>>,
    /// Lines on their way.
    batch: Vec<u8>,
    /// Whether it was told that it cannot be written to.
    is_told: bool,
}

impl Target {
    pub(super) fn new(path: &Path, reopens: bool) -> Self {
        Self { path: path.to_owned(), reopens }
    }

    fn open(&self) -> io::Result<Box<dyn Write + Send>> {
        match self.path.to_str() {
            // Opening these fails where they are sockets.
            Some("/dev/stdout") => return Ok(Box::new(io::stdout())),
            Some("/dev/stderr") => return Ok(Box::new(io::stderr())),
            _ => {}
        }
        Ok(Box::new(self.file()?))
    }

    fn file(&self) -> io::Result<File> {
        let open = || OpenOptions::new().create(true).append(true).mode(0o644).open(&self.path);
        match (open(), self.path.parent()) {
            (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(folder)?;
                open()
            }
            (opened, _) => opened,
        }
    }
}

impl Targets {
    pub(super) fn add(&mut self, target: Target) {
        self.0.push(Open { target, out: None, batch: Vec::new(), is_told: false });
    }

    pub(super) fn write(&mut self, number: usize, line: &[u8]) {
        let Some(open) = self.0.get_mut(number) else { return };
        open.batch.extend_from_slice(line);
        if open.batch.len() >= BATCH {
            open.flush();
        }
    }

    pub(super) fn flush(&mut self) {
        self.0.iter_mut().for_each(Open::flush);
    }

    pub(super) fn reopen(&mut self) {
        self.flush();
        for open in &mut self.0 {
            open.out = None;
        }
    }
}

impl Open {
    /// What cannot be written is lost: there is no place to keep it that would not be full some day.
    fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        match self.write_batch() {
            Ok(()) => self.is_told = false,
            Err(error) => {
                self.out = None;
                if !std::mem::replace(&mut self.is_told, true) {
                    let path = self.target.path.display();
                    tracing::error!("failed to open the file: {error} ({path}); what is logged there is lost");
                }
            }
        }
        self.batch.clear();
        self.batch.shrink_to(BATCH.saturating_mul(2));
        if self.target.reopens {
            self.out = None;
        }
    }

    fn write_batch(&mut self) -> io::Result<()> {
        let out = match &mut self.out {
            Some(out) => out,
            none => none.insert(self.target.open()?),
        };
        out.write_all(&self.batch)?;
        out.flush()
    }
}
