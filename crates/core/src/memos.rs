//! What wrapping plugins have worked out for one plan.

use std::{any::Any, fmt, sync::OnceLock};

/// What the wrapping plugins have worked out for one plan, each at its slot, when it was first asked
/// for: handles of metrics, say.
///
/// A copy begins empty. Each worker has a copy of every plan, so nothing here is shared between
/// workers.
#[derive(Default)]
pub struct Memos {
    slots: Box<[OnceLock<Box<dyn Any + Send + Sync>>]>,
}

impl Memos {
    /// Room for so many slots.
    pub fn new(slots: usize) -> Self {
        Self { slots: (0..slots).map(|_| OnceLock::new()).collect() }
    }

    /// What stands at this slot, made now if it was not asked for before; `None` if there is no such
    /// slot, or somebody keeps another type there.
    pub fn get<T: Any + Send + Sync>(&self, slot: usize, make: impl FnOnce() -> T) -> Option<&T> {
        self.slots.get(slot)?.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

impl Clone for Memos {
    fn clone(&self) -> Self {
        Self::new(self.slots.len())
    }
}

impl fmt::Debug for Memos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memos").field("slots", &self.slots.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_is_made_once_and_not_copied() {
        let memos = Memos::new(1);
        assert_eq!(memos.get(0, || 1), Some(&1));
        assert_eq!(memos.get(0, || 2), Some(&1));
        assert_eq!(memos.clone().get(0, || 3), Some(&3), "a copy begins empty");
        assert_eq!(memos.get(0, || "another type"), None);
        assert_eq!(memos.get(1, || 4), None, "there is no such slot");
    }
}
