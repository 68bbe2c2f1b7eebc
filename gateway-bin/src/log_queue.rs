//! Log lines on their way to where they are read, so that nobody who logs waits for a slow disk or
//! for a pipe that nobody empties.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// How many lines may wait to be written; what comes above that is counted and thrown away.
const WAITING: usize = 8192;

/// The queue that the process logs to, for [`finish`].
static IN_USE: OnceLock<Queue> = OnceLock::new();

enum Entry {
    Line(Place, Vec<u8>),
    /// The error logs were moved away.
    Reopen,
    /// Everything before this has been written; says so.
    Flush(SyncSender<()>),
}

/// In which error log a line stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Gateway,
    /// The Admin API's own.
    Admin,
}

/// Takes lines without ever waiting or failing; a thread of its own writes them to stderr and,
/// beside it, to an error log.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    place: Place,
    // Without a bound of its own, for which all the room would be taken at once.
    entries: Sender<Entry>,
    waiting: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
}

impl Queue {
    /// To these error logs, in the order of [`Place`]; the queue is for the first.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(error_logs: [Option<ErrorLog>; 2]) -> io::Result<Self> {
        let queue = Self::new(Box::new(io::stderr()), error_logs)?;
        let _ = IN_USE.set(queue.clone());
        Ok(queue)
    }

    fn new(stderr: Box<dyn Write + Send>, [gateway, admin]: [Option<ErrorLog>; 2]) -> io::Result<Self> {
        let (entries, received) = channel();
        let (waiting, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        let targets = Targets { stderr, gateway, admin, waiting: waiting.clone(), lost: lost.clone() };
        thread::Builder::new().name("log".into()).spawn(move || targets.write_all(&received))?;
        Ok(Self { place: Place::Gateway, entries, waiting, lost })
    }

    /// The same for lines that belong there.
    pub(crate) fn to(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// Puts this at the end, or gives it back if there is no room.
    fn offer(&self, entry: Entry) -> Result<(), Entry> {
        if self.waiting.fetch_add(1, Relaxed) >= WAITING {
            self.waiting.fetch_sub(1, Relaxed);
            return Err(entry);
        }
        self.entries.send(entry).map_err(|unsent| unsent.0)
    }

    /// Waits until what was logged so far has been written, but not longer than this.
    fn flush(&self, limit: Duration) {
        const PAUSE: Duration = Duration::from_millis(5);
        let end = Instant::now() + limit;
        let (done, written) = sync_channel(1);
        let mut entry = Entry::Flush(done);
        while let Err(unsent) = self.offer(entry) {
            if Instant::now() >= end {
                return;
            }
            entry = unsent;
            thread::sleep(PAUSE);
        }
        let _ = written.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

/// Waits until the process's log has been written, but not longer than a second.
pub(crate) fn finish() {
    if let Some(queue) = IN_USE.get() {
        queue.flush(Duration::from_secs(1));
    }
}

impl Write for Queue {
    /// Takes one line (or several). Never fails: there is nobody to tell, and a log that cannot be
    /// written is no reason for a gateway to stop.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.offer(Entry::Line(self.place, line.to_vec())).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts lines of the gateway's own log that were lost. None are counted, too, so that operators see the first ones as an
/// increase.
pub(crate) fn count_lost(lines: u64) {
    towergate_logging::lines_lost("gateway", "full").increment(lines);
}

/// Opens the error logs anew.
pub(crate) fn reopen() {
    if let Some(queue) = IN_USE.get() {
        let _ = queue.offer(Entry::Reopen);
    }
}

/// An error log, open.
pub(crate) struct ErrorLog {
    path: PathBuf,
    file: File,
}

impl ErrorLog {
    /// Makes it, and its folder, if it is not there.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { path: path.to_owned(), file })
    }
}

/// Where lines are written to.
struct Targets {
    stderr: Box<dyn Write + Send>,
    gateway: Option<ErrorLog>,
    admin: Option<ErrorLog>,
    waiting: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
}

impl Targets {
    fn write_all(mut self, received: &Receiver<Entry>) {
        for entry in received {
            self.waiting.fetch_sub(1, Relaxed);
            match entry {
                Entry::Line(place, line) => self.write(place, &line),
                Entry::Reopen => self.reopen(),
                Entry::Flush(done) => _ = done.send(()),
            }
            let lost = self.lost.swap(0, Relaxed);
            if lost > 0 {
                count_lost(lost);
                let line = format!("{lost} lines of the log were lost: they came faster than they could be written\n");
                self.write(Place::Gateway, line.as_bytes());
            }
        }
    }

    /// Where there is no new one to be had, the old one goes on.
    fn reopen(&mut self) {
        for place in [Place::Gateway, Place::Admin] {
            let Some(log) = self.log(place) else { continue };
            match ErrorLog::open(&log.path) {
                Ok(new) => *log = new,
                Err(error) => {
                    let path = log.path.display().to_string();
                    self.write(place, format!("cannot open the error log {path} anew: {error}\n").as_bytes());
                }
            }
        }
    }

    /// One place that cannot be written to does not keep the line from the other.
    fn write(&mut self, place: Place, line: &[u8]) {
        if let Some(log) = self.log(place) {
            let _ = log.file.write_all(line);
        }
        let _ = self.stderr.write_all(line);
    }

    fn log(&mut self, place: Place) -> Option<&mut ErrorLog> {
        match place {
            Place::Gateway => self.gateway.as_mut(),
            Place::Admin => self.admin.as_mut(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn lines_are_written_in_order() {
        let (mut read, write) = io::pipe().unwrap();
        let mut queue = Queue::new(Box::new(write), [None, None]).unwrap();
        for line in ["one\n", "two\n"] {
            queue.write_all(line.as_bytes()).unwrap();
        }
        queue.flush(Duration::from_secs(10));
        let mut text = [0; 8];
        read.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"one\ntwo\n");
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let (read, write) = io::pipe().unwrap();
        drop(read);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("error.log");
        let mut queue = Queue::new(Box::new(write), [Some(ErrorLog::open(&path).unwrap()), None]).unwrap();
        queue.write_all(b"still here\n").unwrap();
        queue.flush(Duration::from_secs(10));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "still here\n");
    }

    #[test]
    fn a_reader_that_reads_nothing_costs_lines_but_no_time() {
        let (mut read, write) = io::pipe().unwrap();
        let mut queue = Queue::new(Box::new(write), [None, None]).unwrap();
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        for _ in 0..3 * WAITING {
            queue.write_all(&line).unwrap();
        }
        queue.flush(Duration::from_millis(50));
        drop(queue);
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert!(text.contains(" lines of the log were lost"), "{} bytes", text.len());
        assert!(text.lines().count() >= WAITING);
    }
}
