//! A request under way to a member.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::ring::Ring;

/// A request under way, where the algorithm looks at how many there are: it counts until this is dropped.
pub struct Flight {
    ring: Arc<Ring>,
    place: usize,
}

impl Flight {
    pub(crate) fn begin(ring: &Arc<Ring>, place: usize) -> Option<Self> {
        let picker = ring.picker.as_pick();
        picker.wants_load().then(|| {
            picker.begin(place);
            Self { ring: ring.clone(), place }
        })
    }

    /// Tells that the head of an answer came after so long.
    pub fn answered(&self, latency: Duration, now: Instant) {
        self.ring.picker.as_pick().observe(self.place, latency, now);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.ring.picker.as_pick().end(self.place);
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("place", &self.place).finish_non_exhaustive()
    }
}
