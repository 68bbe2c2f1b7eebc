//! What the policies of one gateway have in common.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// Things that the policies of one gateway share, whatever configuration they come from, so that they
/// outlive a reload.
///
/// Some are there once and for all ([`of`](Self::of)): what a plugin's policies count together, say.
/// Others go by a key and last as long as a policy holds them ([`value`](Self::value)): the counters of
/// one scope, the connections to one store. To be asked when a policy is made, not on a request's way.
#[derive(Clone, Default)]
pub struct Shared {
    things: Arc<Mutex<Things>>,
}

#[derive(Default)]
struct Things {
    kept: HashMap<TypeId, Arc<Thing>>,
    held: HashMap<(TypeId, String), Weak<Thing>>,
}

type Thing = dyn Any + Send + Sync;

impl Shared {
    /// The one thing of this type: made when it is first asked for, kept as long as the gateway.
    pub fn of<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let thing = self.lock().kept.entry(TypeId::of::<T>()).or_insert_with(|| Arc::<T>::default()).clone();
        // What stands at the place of a type is of that type.
        thing.downcast().unwrap_or_default()
    }

    /// The thing of this type under this key: made now, unless somebody holds it already. `make` may
    /// ask for other things.
    pub fn value<T: Send + Sync + 'static>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let key = (TypeId::of::<T>(), key.to_owned());
        let before = held(&self.lock(), &key);
        before.unwrap_or_else(|| {
            let made = Arc::new(make());
            let mut things = self.lock();
            // Somebody else may have made it meanwhile.
            held::<T>(&things, &key).unwrap_or_else(|| {
                things.held.retain(|_, thing| thing.strong_count() > 0);
                let weak: Weak<Thing> = Arc::<T>::downgrade(&made);
                things.held.insert(key, weak);
                made
            })
        })
    }

    fn lock(&self) -> MutexGuard<'_, Things> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn held<T: Send + Sync + 'static>(things: &Things, key: &(TypeId, String)) -> Option<Arc<T>> {
    things.held.get(key)?.upgrade()?.downcast().ok()
}

impl fmt::Debug for Shared {
    /// Without the keys, which may hold secrets.
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

    #[test]
    fn what_has_a_key_lives_as_long_as_somebody_holds_it() {
        let shared = Shared::default();
        let first = shared.value("a", || 1_u32);
        assert!(Arc::ptr_eq(&first, &shared.clone().value("a", || 2)));
        assert_eq!(*shared.value("b", || 3_u32), 3, "another key");
        assert_eq!(*shared.value("a", || 4_u64), 4, "another type");
        assert_eq!(*shared.value("c", || *shared.value("d", || 6_u32)), 6, "one may need another");
        drop(first);
        assert_eq!(*shared.value("a", || 5_u32), 5, "nobody held it any more");
    }
}
