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
pub(super) struct Targets {
    open: Vec<Open>,
    /// Lines that could not be written and are not counted yet.
    lost: u64,
}

struct Open {
    target: Target,
    out: Option<Box<dyn Write + Send>>,
    /// Lines on their way, and how many.
    batch: Vec<u8>,
    lines: u64,
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
        self.open.push(Open { target, out: None, batch: Vec::new(), lines: 0, is_told: false });
    }

    pub(super) fn write(&mut self, number: usize, line: &[u8]) {
        let Some(open) = self.open.get_mut(number) else { return };
        open.batch.extend_from_slice(line);
        open.lines = open.lines.saturating_add(1);
        if open.batch.len() >= BATCH {
            self.lost = self.lost.saturating_add(open.flush());
        }
    }

    pub(super) fn flush(&mut self) {
        for open in &mut self.open {
            self.lost = self.lost.saturating_add(open.flush());
        }
    }

    /// How many lines could not be written since this was asked last.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    pub(super) fn reopen(&mut self) {
        self.flush();
        for open in &mut self.open {
            open.out = None;
        }
    }
}

impl Open {
    /// What cannot be written is lost: there is no place to keep it that would not be full some day. Answers how many
    /// lines that were.
    fn flush(&mut self) -> u64 {
        if self.batch.is_empty() {
            return 0;
        }
        let lines = std::mem::take(&mut self.lines);
        let lost = match self.write_batch() {
            Ok(()) => {
                self.is_told = false;
                0
            }
            Err(error) => {
                self.out = None;
                if !std::mem::replace(&mut self.is_told, true) {
                    let path = self.target.path.display();
                    tracing::error!("failed to open the file: {error} ({path}); what is logged there is lost");
                }
                lines
            }
        };
        self.batch.clear();
        self.batch.shrink_to(BATCH.saturating_mul(2));
        if self.target.reopens {
            self.out = None;
        }
        lost
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
