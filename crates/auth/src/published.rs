//! A value that is replaced now and then, read by every worker without a lock.

use std::{
    cell::RefCell,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use thread_local::ThreadLocal;

/// A value that is replaced now and then. Each thread has a handle of its own to the newest one, so
/// that reading touches nothing that another thread writes, except when the value was replaced.
pub(crate) struct Published<T: Send + Sync> {
    newest: Mutex<Arc<T>>,
    version: AtomicU64,
    handles: ThreadLocal<RefCell<(u64, Arc<T>)>>,
}

impl<T: Send + Sync> Published<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { newest: Mutex::new(Arc::new(value)), version: AtomicU64::new(0), handles: ThreadLocal::new() }
    }

    /// Replaces the value.
    pub(crate) fn replace(&self, value: T) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = Arc::new(value);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Reads the newest value.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        let version = self.version.load(Ordering::Acquire);
        let handle = self.handles.get_or(|| RefCell::new((version, self.newest())));
        let Ok(mut handle) = handle.try_borrow_mut() else { return read(&self.newest()) };
        if handle.0 != version {
            *handle = (version, self.newest());
        }
        read(&handle.1)
    }

    fn newest(&self) -> Arc<T> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T: Send + Sync> fmt::Debug for Published<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published").field("version", &self.version).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_reads_what_was_published_last() {
        let published = Arc::new(Published::new(1));
        assert_eq!(published.read(|value| *value), 1);
        published.replace(2);
        let other = published.clone();
        std::thread::spawn(move || assert_eq!(other.read(|value| *value), 2)).join().unwrap();
        assert_eq!(published.read(|value| *value), 2);
        assert_eq!(published.read(|outer| published.read(|inner| outer + inner)), 4, "one inside another");
    }
}
