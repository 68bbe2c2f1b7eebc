//! What policies share with each other, and with those that come after them.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// Values that several policies use, each as long as one of them holds it.
///
/// It is looked into when policies are made, never by requests. The policies of one configuration
/// and of the next share one, so that a value outlives a change of configuration.
#[derive(Clone, Default)]
pub struct Shared {
    values: Arc<Mutex<Values>>,
}

type Values = HashMap<(TypeId, String), Weak<dyn Any + Send + Sync>>;

impl Shared {
    /// The value of this type under this key: made now, unless somebody holds it already. `make` may
    /// ask for other values.
    pub fn value<T: Any + Send + Sync>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let key = (TypeId::of::<T>(), key.to_owned());
        let before = held(&self.values.lock().unwrap_or_else(PoisonError::into_inner), &key);
        before.unwrap_or_else(|| {
            let made = Arc::new(make());
            let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
            // Somebody else may have made it meanwhile.
            held::<T>(&values, &key).unwrap_or_else(|| {
                values.retain(|_, value| value.strong_count() > 0);
                let weak: Weak<dyn Any + Send + Sync> = Arc::<T>::downgrade(&made);
                values.insert(key, weak);
                made
            })
        })
    }
}

fn held<T: Any + Send + Sync>(values: &Values, key: &(TypeId, String)) -> Option<Arc<T>> {
    values.get(key)?.upgrade()?.downcast().ok()
}

impl fmt::Debug for Shared {
    /// Without the keys, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_as_long_as_somebody_holds_it() {
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
