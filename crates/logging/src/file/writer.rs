//! The thread that writes, and what is handed to it.

use std::{
    fmt, io,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
            fence,
        },
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, Thread},
    time::Duration,
};

use crossbeam_queue::SegQueue;
use metrics::{Counter, counter, describe_counter};

use super::target::{Target, Targets};

/// How many bytes may wait to be written, for all files together; what comes above that is counted and
/// thrown away.
const WAITING: usize = 16 * 1024 * 1024;

/// While lines come, the thread gathers them for so long between two looks: nobody who logs has to
/// wake it then.
const GATHER: Duration = Duration::from_millis(5);

/// Something for the thread to do.
pub(super) enum Order {
    Line(usize, Box<[u8]>),
    /// A file, which from now on has the next number.
    Open(Target),
    Reopen,
    /// Everything before this has been written; say so.
    Flush(SyncSender<()>),
}

/// Writes lines to files, standard output or standard error, by a thread of its own that begins with
/// the first line. Whoever logs never waits. Clones are the same.
#[derive(Clone, Default)]
pub struct Writer {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    orders: SegQueue<Order>,
    bytes: AtomicUsize,
    lost: AtomicU64,
    is_asleep: AtomicBool,
    thread: OnceLock<Option<Thread>>,
    paths: Mutex<Vec<Target>>,
}

/// The lines of one file.
#[derive(Clone)]
pub struct Lines {
    writer: Writer,
    number: usize,
}

impl Writer {
    /// Lines to this file, which is made (mode 0644, its folder too) when the first one comes.
    /// `/dev/stdout` and `/dev/stderr` are those of the process.
    pub fn to(&self, path: &Path) -> Lines {
        self.lines(Target::new(path, false))
    }

    /// The same, opened anew each time something is written, for those who take it away now and then.
    pub fn reopening(&self, path: &Path) -> Lines {
        self.lines(Target::new(path, true))
    }

    fn lines(&self, target: Target) -> Lines {
        let mut paths = self.inner.paths.lock().unwrap_or_else(PoisonError::into_inner);
        let number = paths.iter().position(|known| *known == target).unwrap_or_else(|| {
            paths.push(target.clone());
            self.inner.orders.push(Order::Open(target));
            paths.len().saturating_sub(1)
        });
        Lines { writer: self.clone(), number }
    }

    /// Opens all files anew: they were moved away.
    pub fn reopen(&self) {
        self.order(Order::Reopen);
    }

    /// Waits until what was logged so far has been written, but not longer than this.
    pub fn flush(&self, limit: Duration) {
        if self.inner.thread.get().is_none() {
            return;
        }
        let (done, written) = sync_channel(1);
        self.order(Order::Flush(done));
        let _ = written.recv_timeout(limit);
    }

    fn order(&self, order: Order) {
        self.inner.orders.push(order);
        fence(SeqCst);
        if self.inner.is_asleep.load(Relaxed) && self.inner.is_asleep.swap(false, Relaxed) {
            self.thread().iter().for_each(Thread::unpark);
        }
    }

    /// The thread, begun now if there is none yet. Without one lines are lost, and counted.
    fn thread(&self) -> &Option<Thread> {
        self.inner.thread.get_or_init(|| {
            let inner = Arc::downgrade(&self.inner);
            let begun = thread::Builder::new().name("log-files".into()).spawn(move || {
                let (mut targets, counted) = (Targets::default(), Lost::new());
                while let Some(inner) = inner.upgrade() {
                    inner.work(&mut targets, &counted);
                    let is_asleep = inner.is_asleep.load(Relaxed);
                    drop(inner);
                    // Without a strong reference: the last writer may go while this sleeps.
                    if is_asleep { thread::park_timeout(Duration::from_secs(1)) } else { thread::sleep(GATHER) }
                }
            });
            begun
                .map_err(|error| tracing::error!(%error, "no thread to write logs with; they are lost"))
                .ok()
                .map(|handle| handle.thread().clone())
        })
    }
}

impl Lines {
    /// A line, its end included; never waits.
    pub fn write(&self, line: &[u8]) {
        let inner = &self.writer.inner;
        if self.writer.thread().is_none() || inner.bytes.load(Relaxed) > WAITING {
            inner.lost.fetch_add(1, Relaxed);
            return;
        }
        inner.bytes.fetch_add(line.len(), Relaxed);
        self.writer.order(Order::Line(self.number, line.into()));
    }
}

impl Inner {
    /// Writes what has come; if that was nothing, whoever brings the next wakes the thread.
    fn work(&self, targets: &mut Targets, counted: &Lost) {
        let mut is_idle = true;
        while let Some(order) = self.next() {
            is_idle = false;
            match order {
                Order::Line(number, line) => {
                    self.bytes.fetch_sub(line.len(), Relaxed);
                    targets.write(number, &line);
                }
                Order::Open(target) => targets.add(target),
                Order::Reopen => targets.reopen(),
                Order::Flush(done) => {
                    targets.flush();
                    let _ = done.send(());
                }
            }
        }
        targets.flush();
        let lost = self.lost.swap(0, Relaxed);
        counted.unwritable.increment(targets.take_lost());
        if lost > 0 {
            counted.full.increment(lost);
            tracing::error!(lines = lost, "lines of logs were lost: they came faster than they could be written");
        }
        if is_idle {
            self.is_asleep.store(true, Relaxed);
            fence(SeqCst);
            if !self.orders.is_empty() {
                self.is_asleep.store(false, Relaxed);
            }
        }
    }

    fn next(&self) -> Option<Order> {
        self.orders.pop()
    }
}

/// What operators read of lines that were lost: there from the beginning, so that the first ones are an increase.
struct Lost {
    full: Counter,
    unwritable: Counter,
}

impl Lost {
    fn new() -> Self {
        Self { full: lines_lost("requests", "full"), unwritable: lines_lost("requests", "unwritable") }
    }
}

/// The counter `towergate_log_lines_lost_total` of lines that `log` lost for this reason.
pub fn lines_lost(log: &'static str, reason: &'static str) -> Counter {
    const LOST: &str = "towergate_log_lines_lost_total";
    describe_counter!(LOST, "Lines of logs that were not written");
    counter!(LOST, "log" => log, "reason" => reason)
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("bytes", &self.inner.bytes.load(Relaxed)).finish_non_exhaustive()
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("number", &self.number).finish_non_exhaustive()
    }
}

impl io::Write for Lines {
    /// Never fails: there is nobody to tell, and a log that cannot be written is no reason to stop.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        Self::write(self, line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn lines_of_several_files_are_written_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::default();
        let paths = ["a.log", "sub/b.log"].map(|name| folder.path().join(name));
        let lines = paths.each_ref().map(|path| writer.to(path));
        for number in 0..1000 {
            lines.iter().for_each(|lines| lines.write(format!("{number}\n").as_bytes()));
        }
        writer.flush(LIMIT);
        let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
        for path in &paths {
            assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
        }
    }

    #[test]
    fn a_file_that_was_moved_away_goes_on_until_it_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let [path, moved] = ["a.log", "a.log.1"].map(|name| folder.path().join(name));
        let writer = Writer::default();
        let lines = writer.to(&path);
        lines.write(b"one\n");
        writer.flush(LIMIT);
        std::fs::rename(&path, &moved).unwrap();
        lines.write(b"two\n");
        writer.reopen();
        lines.write(b"three\n");
        writer.flush(LIMIT);
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn one_that_reopens_by_itself_needs_no_signal() {
        let folder = tempfile::tempdir().unwrap();
        let [path, moved] = ["a.log", "a.log.1"].map(|name| folder.path().join(name));
        let writer = Writer::default();
        let lines = writer.reopening(&path);
        lines.write(b"one\n");
        writer.flush(LIMIT);
        std::fs::rename(&path, &moved).unwrap();
        lines.write(b"two\n");
        writer.flush(LIMIT);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_costs_lines_but_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Writer::default();
        let (bad, good) = (writer.to(folder.path()), writer.to(&folder.path().join("good.log")));
        bad.write(b"lost\n");
        good.write(b"kept\n");
        writer.flush(LIMIT);
        assert_eq!(std::fs::read_to_string(folder.path().join("good.log")).unwrap(), "kept\n");
    }

    #[test]
    fn a_reader_that_reads_nothing_costs_lines_but_no_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        // Somebody holds it open and reads nothing.
        let held = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let writer = Writer::default();
        let lines = writer.to(&path);
        let line = vec![b'x'; 64 * 1024];
        for _ in 0..1024 {
            lines.write(&line);
        }
        let waiting = writer.inner.bytes.load(Relaxed);
        assert!(waiting <= WAITING + line.len(), "{waiting}");
        assert!(writer.inner.lost.load(Relaxed) > 500);
        drop(held);
    }
}
