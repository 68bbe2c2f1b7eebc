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
    /// The value of this type under this key: made now, unless somebody holds it already.
    pub fn value<T: Any + Send + Sync>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (TypeId::of::<T>(), key.to_owned());
        let held = values.get(&key).and_then(Weak::upgrade).and_then(|value| value.downcast().ok());
        held.unwrap_or_else(|| {
            values.retain(|_, value| value.strong_count() > 0);
            let value = Arc::new(make());
            let weak: Weak<dyn Any + Send + Sync> = Arc::<T>::downgrade(&value);
            values.insert(key, weak);
            value
        })
    }
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
        drop(first);
        assert_eq!(*shared.value("a", || 5_u32), 5, "nobody held it any more");
    }
}
