//! Entries that wait.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
            fence,
        },
    },
};

use crossbeam_queue::SegQueue;
use tokio::sync::Notify;

use crate::settings::Settings;

/// What a queue may hold.
pub trait Entry: Send + 'static {
    /// How many bytes it takes, as far as `max_bytes` is concerned.
    fn bytes(&self) -> usize;
}

impl Entry for String {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Entry for Vec<u8> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Entry for Box<[u8]> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

/// The end of a queue where entries go in. Clones are the same queue; when the last one is dropped,
/// what is left is delivered without further waiting.
pub struct Queue<T: Entry> {
    end: Arc<End<T>>,
}

/// Tells the delivery when nobody pushes any more.
struct End<T: Entry> {
    waiting: Arc<Waiting<T>>,
}

impl<T: Entry> Drop for End<T> {
    fn drop(&mut self) {
        self.waiting.is_closed.store(true, SeqCst);
        self.waiting.wake.notify_one();
    }
}

/// What both ends share.
pub(crate) struct Waiting<T> {
    pub(crate) plugin: &'static str,
    name: String,
    pub(crate) settings: Settings,
    entries: SegQueue<T>,
    length: AtomicUsize,
    bytes: AtomicUsize,
    is_asleep: AtomicBool,
    is_closed: AtomicBool,
    pub(crate) wake: Notify,
    is_warned: AtomicBool,
    is_dropping: AtomicBool,
    /// Entries that were pushed out, and those that were too large to come in.
    pub(crate) dropped: AtomicU64,
    pub(crate) too_large: AtomicU64,
}

impl<T: Entry> Queue<T> {
    /// An empty queue of this plugin. Its name tells it from others of the same plugin in the log: the
    /// id of the plugin's configuration, say.
    pub fn new(plugin: &'static str, name: impl Into<String>, mut settings: Settings) -> Self {
        settings.max_entries = settings.max_entries.max(1);
        settings.max_batch_size = settings.max_batch_size.max(1);
        let waiting = Waiting {
            plugin,
            name: name.into(),
            settings,
            entries: SegQueue::new(),
            length: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            is_asleep: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            wake: Notify::new(),
            is_warned: AtomicBool::new(false),
            is_dropping: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            too_large: AtomicU64::new(0),
        };
        Self { end: Arc::new(End { waiting: Arc::new(waiting) }) }
    }

    /// Puts an entry in; never waits. If there is no room, the oldest make some.
    pub fn push(&self, entry: T) {
        self.end.waiting.push(entry);
    }

    /// How many entries wait; those that are being delivered do not count.
    pub fn len(&self) -> usize {
        self.end.waiting.length.load(Relaxed)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn waiting(&self) -> Arc<Waiting<T>> {
        self.end.waiting.clone()
    }
}

impl<T: Entry> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self { end: self.end.clone() }
    }
}

impl<T: Entry> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("plugin", &self.end.waiting.plugin).finish_non_exhaustive()
    }
}

impl<T: Entry> Waiting<T> {
    fn push(&self, entry: T) {
        let size = entry.bytes();
        if self.settings.max_bytes.is_some_and(|max| size > max) {
            return self.refuse(size);
        }
        let length = self.length.fetch_add(1, Relaxed).saturating_add(1);
        self.bytes.fetch_add(size, Relaxed);
        self.entries.push(entry);
        self.warn(length);
        while self.is_over() && self.drop_oldest() {}
        // Either this sees the delivery asleep, or the delivery, falling asleep, sees the entry.
        fence(SeqCst);
        if self.is_asleep.load(Relaxed) && self.is_asleep.swap(false, Relaxed) {
            self.wake.notify_one();
        }
    }

    fn is_over(&self) -> bool {
        self.length.load(Relaxed) > self.settings.max_entries
            || self.settings.max_bytes.is_some_and(|max| self.bytes.load(Relaxed) > max)
    }

    /// Answers whether there was one.
    fn drop_oldest(&self) -> bool {
        let Some(_) = self.pop() else { return false };
        self.dropped.fetch_add(1, Relaxed);
        if !self.is_dropping.swap(true, Relaxed) {
            tracing::error!("{self}: queue full, dropping old entries until processing is successful again");
        }
        true
    }

    #[cold]
    fn refuse(&self, size: usize) {
        let max = self.settings.max_bytes.unwrap_or(usize::MAX);
        if self.too_large.fetch_add(1, Relaxed) == 0 {
            tracing::error!(
                "{self}: string to be queued is longer ({size} bytes) than the queue's max_bytes ({max} bytes)"
            );
        }
    }

    /// Says once that the queue fills up.
    fn warn(&self, length: usize) {
        const PERCENT: usize = 80;
        let is_filling = length.saturating_mul(100) >= self.settings.max_entries.saturating_mul(PERCENT);
        if is_filling != self.is_warned.load(Relaxed)
            && self.is_warned.swap(is_filling, Relaxed) != is_filling
            && is_filling
            && self.settings.max_entries > 1
        {
            tracing::warn!("{self}: queue at {PERCENT}% capacity");
        }
    }

    /// The oldest entry.
    pub(crate) fn pop(&self) -> Option<T> {
        let entry = self.entries.pop()?;
        self.length.fetch_sub(1, Relaxed);
        self.bytes.fetch_sub(entry.bytes(), Relaxed);
        Some(entry)
    }

    /// The oldest entry; if there is none, whoever pushes the next one wakes the delivery.
    pub(crate) fn pop_or_sleep(&self) -> Option<T> {
        if let Some(entry) = self.pop() {
            return Some(entry);
        }
        self.is_asleep.store(true, Relaxed);
        fence(SeqCst);
        let entry = self.pop()?;
        self.is_asleep.store(false, Relaxed);
        Some(entry)
    }

    /// Whether nobody can push any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(SeqCst)
    }

    /// Says, when a batch was taken out after some entries had been pushed out, that it goes on.
    pub(crate) fn resume(&self) {
        if self.is_dropping.load(Relaxed) && self.is_dropping.swap(false, Relaxed) {
            tracing::info!("{self}: queue resumed processing");
        }
    }
}

impl<T> fmt::Display for Waiting<T> {
    /// As Kong begins what it says of a queue.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{0} plugin {1}] queue {1}", self.plugin, self.name)
    }
}
