//! What all algorithms have in common.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// Chooses one of several targets, each known by its *place* in the list the chooser was made from.
///
/// One chooser serves all threads: choosing takes atomic operations only, and no thread ever waits
/// for another. A place that is not in the list is never chosen, and telling about it does nothing.
pub trait Pick: fmt::Debug + Send + Sync {
    /// A place that is in rotation, none of those already `tried` as long as there is another;
    /// `None` if no place is in rotation.
    ///
    /// `hash` is what requests are kept together by ([`hash`](crate::hash)); algorithms that do not
    /// hash do not look at it.
    fn pick(&self, hash: u32, tried: &[usize]) -> Option<usize>;

    /// Takes a place out of rotation or puts it back. All are in rotation at the beginning, except
    /// those of weight 0, which never are.
    fn set_available(&self, place: usize, available: bool);

    /// Whether the algorithm wants to be told by [`begin`](Self::begin), [`end`](Self::end) and
    /// [`observe`](Self::observe); telling the others costs a call and does nothing.
    fn wants_load(&self) -> bool {
        false
    }

    /// A request went to this place.
    fn begin(&self, _place: usize) {}

    /// A request that went there is over. To be told exactly once for each [`begin`](Self::begin).
    fn end(&self, _place: usize) {}

    /// A request that went there was answered after so long.
    fn observe(&self, _place: usize, _latency: Duration, _now: Instant) {}
}

impl<P: Pick + ?Sized> Pick for Box<P> {
    fn pick(&self, hash: u32, tried: &[usize]) -> Option<usize> {
        (**self).pick(hash, tried)
    }

    fn set_available(&self, place: usize, available: bool) {
        (**self).set_available(place, available);
    }

    fn wants_load(&self) -> bool {
        (**self).wants_load()
    }

    fn begin(&self, place: usize) {
        (**self).begin(place);
    }

    fn end(&self, place: usize) {
        (**self).end(place);
    }

    fn observe(&self, place: usize, latency: Duration, now: Instant) {
        (**self).observe(place, latency, now);
    }
}
