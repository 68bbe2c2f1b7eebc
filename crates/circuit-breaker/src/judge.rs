//! Which errors of an inner service are failures.

/// Says which errors of an inner service are failures of it: [`EveryError`], or a function.
pub trait Judge<E> {
    /// Whether this error is one.
    fn is_failure(&self, error: &E) -> bool;
}

/// Takes every error for a failure.
#[derive(Debug, Clone, Copy, Default)]
pub struct EveryError;

impl<E> Judge<E> for EveryError {
    fn is_failure(&self, _: &E) -> bool {
        true
    }
}

impl<E, F: Fn(&E) -> bool> Judge<E> for F {
    fn is_failure(&self, error: &E) -> bool {
        self(error)
    }
}
