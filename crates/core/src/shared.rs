//! What the policies of one gateway have in common.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// Things that all policies of one gateway share, whatever configuration they come from: one of each
/// type, made when it is first asked for, and kept as long as the gateway.
///
/// For what a plugin's policies count or keep *together* (all metrics of a gateway are shown on one
/// page), and for what must outlive a reload. To be asked when a policy is made, not on a request's way.
#[derive(Clone, Default)]
pub struct Shared {
    things: Arc<Mutex<HashMap<TypeId, Thing>>>,
}

type Thing = Arc<dyn Any + Send + Sync>;

impl Shared {
    /// The one thing of this type.
    pub fn of<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        let thing = things.entry(TypeId::of::<T>()).or_insert_with(|| Arc::<T>::default()).clone();
        // What stands at the place of a type is of that type.
        thing.downcast().unwrap_or_default()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn there_is_one_of_each_type() {
        let shared = Shared::default();
        let first = shared.of::<AtomicU32>();
        assert!(Arc::ptr_eq(&first, &shared.clone().of::<AtomicU32>()));
        assert_eq!(*shared.of::<String>(), "");
        assert!(!Arc::ptr_eq(&first, &Shared::default().of::<AtomicU32>()), "another gateway has its own");
    }
}
