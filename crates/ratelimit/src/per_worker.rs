//! Values of which each thread has its own.

use std::{fmt, sync::Arc};

use thread_local::ThreadLocal;

/// A value that each thread makes for itself when it first needs it, so that no reference count is
/// shared between workers.
pub(crate) struct PerWorker<T: Send + Sync> {
    own: ThreadLocal<Arc<T>>,
    make: Box<dyn Fn() -> T + Send + Sync>,
}

impl<T: Send + Sync> PerWorker<T> {
    /// Values made so.
    pub(crate) fn new(make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self { own: ThreadLocal::new(), make: Box::new(make) }
    }

    /// This thread's.
    pub(crate) fn own(&self) -> &Arc<T> {
        self.own.get_or(|| Arc::new((self.make)()))
    }
}

impl<T: Send + Sync> fmt::Debug for PerWorker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerWorker")
    }
}
