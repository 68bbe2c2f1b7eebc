//! Values of which each thread has its own.

use std::{fmt, sync::Arc};

use http::{HeaderName, HeaderValue};
use thread_local::ThreadLocal;

/// A value that each thread makes for itself when it first needs it, so that no reference count is shared between workers.
/// Clones have their values in common.
pub struct PerWorker<T: Send + Sync> {
    shared: Arc<Shared<T>>,
}

struct Shared<T: Send + Sync> {
    own: ThreadLocal<Arc<T>>,
    make: Box<dyn Fn() -> T + Send + Sync>,
}

impl<T: Send + Sync> PerWorker<T> {
    /// Values made so.
    pub fn new(make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self { shared: Arc::new(Shared { own: ThreadLocal::new(), make: Box::new(make) }) }
    }

    /// This thread's.
    pub fn own(&self) -> &Arc<T> {
        self.shared.own.get_or(|| Arc::new((self.shared.make)()))
    }
}

impl PerWorker<HeaderName> {
    /// This name: a copy for each thread.
    pub fn name(name: HeaderName) -> Self {
        Self::new(move || HeaderName::from_bytes(name.as_str().as_bytes()).unwrap_or_else(|_| name.clone()))
    }
}

impl PerWorker<HeaderValue> {
    /// This value: a copy for each thread.
    pub fn value(value: HeaderValue) -> Self {
        Self::new(move || HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone()))
    }
}

impl<T: Send + Sync> Clone for PerWorker<T> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T: Send + Sync> fmt::Debug for PerWorker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PerWorker")
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn each_thread_has_a_copy_of_its_own() {
        let name = PerWorker::name(HeaderName::from_static("x-a"));
        let value = PerWorker::value(HeaderValue::from_static("1"));
        let here = (name.own().clone(), value.own().clone());
        assert!(Arc::ptr_eq(&here.0, name.own()) && Arc::ptr_eq(&here.1, value.clone().own()));
        thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!((&**name.own(), &**value.own()), (&*here.0, &*here.1));
                assert!(!Arc::ptr_eq(&here.0, name.own()) && !Arc::ptr_eq(&here.1, value.own()));
            });
        });
    }
}
