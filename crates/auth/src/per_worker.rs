//! What was found good before, so that it need not be checked again: a cache without locks.

use std::{cell::RefCell, fmt, hash::BuildHasher, mem, sync::Arc};

use hashbrown::{DefaultHashBuilder, HashTable};
use thread_local::ThreadLocal;

/// Values by what a client shows (a token, a certificate), for each thread by itself: workers share
/// no lock, and each finds out for itself once.
///
/// Bounded in bytes. There are two generations: what is new or was used goes into the young one;
/// when that is full, it becomes the old one, and what was old and not used since is gone.
pub(crate) struct PerWorker<V: Send> {
    shared: Arc<Shared<V>>,
}

struct Shared<V: Send> {
    workers: ThreadLocal<RefCell<Generations<V>>>,
    hasher: DefaultHashBuilder,
    max_bytes: usize,
}

struct Generations<V> {
    young: HashTable<Entry<V>>,
    young_bytes: usize,
    old: HashTable<Entry<V>>,
}

struct Entry<V> {
    /// The whole hash: only what has the same is compared byte by byte, so that the time of a
    /// comparison tells nothing to who does not know the hasher's seed.
    hash: u64,
    shown: Box<[u8]>,
    value: V,
}

impl<V> Entry<V> {
    fn is(&self, hash: u64, shown: &[u8]) -> bool {
        self.hash == hash && *self.shown == *shown
    }
}

impl<V: Send> PerWorker<V> {
    /// Keeps values for at most so many bytes that clients show, in each thread.
    pub(crate) fn new(max_bytes: usize) -> Self {
        let shared = Shared { workers: ThreadLocal::new(), hasher: DefaultHashBuilder::default(), max_bytes };
        Self { shared: Arc::new(shared) }
    }

    /// What `look` finds in the value kept for this; it is forgotten if `look` finds nothing.
    pub(crate) fn find<T>(&self, shown: &[u8], look: impl FnOnce(&mut V) -> Option<T>) -> Option<T> {
        if self.shared.max_bytes == 0 {
            return None;
        }
        let mut generations = self.shared.workers.get()?.try_borrow_mut().ok()?;
        let hash = self.shared.hasher.hash_one(shown);
        generations.find(hash, shown, self.shared.max_bytes, look)
    }

    /// Keeps a value for this.
    pub(crate) fn keep(&self, shown: &[u8], value: V) {
        // One that takes a good part of the room would push out everybody else's.
        if shown.len() > self.shared.max_bytes / 16 {
            return;
        }
        let generations = self.shared.workers.get_or(|| RefCell::new(Generations::default()));
        if let Ok(mut generations) = generations.try_borrow_mut() {
            let hash = self.shared.hasher.hash_one(shown);
            generations.add(Entry { hash, shown: shown.into(), value }, self.shared.max_bytes);
        }
    }
}

impl<V> Generations<V> {
    fn find<T>(
        &mut self,
        hash: u64,
        shown: &[u8],
        max_bytes: usize,
        look: impl FnOnce(&mut V) -> Option<T>,
    ) -> Option<T> {
        if let Ok(mut found) = self.young.find_entry(hash, |entry| entry.is(hash, shown)) {
            let answer = look(&mut found.get_mut().value);
            if answer.is_none() {
                let (gone, _) = found.remove();
                self.young_bytes = self.young_bytes.saturating_sub(gone.shown.len());
            }
            return answer;
        }
        let found = self.old.find_entry(hash, |entry| entry.is(hash, shown)).ok()?;
        let (mut entry, _) = found.remove();
        let answer = look(&mut entry.value)?;
        self.add(entry, max_bytes);
        Some(answer)
    }

    fn add(&mut self, entry: Entry<V>, max_bytes: usize) {
        if let Ok(found) = self.young.find_entry(entry.hash, |other| other.is(entry.hash, &entry.shown)) {
            found.into_mut().value = entry.value;
            return;
        }
        self.young_bytes = self.young_bytes.saturating_add(entry.shown.len());
        if self.young_bytes > max_bytes / 2 {
            self.old = mem::take(&mut self.young);
            self.young_bytes = entry.shown.len();
        }
        self.young.insert_unique(entry.hash, entry, |entry| entry.hash);
    }
}

impl<V> Default for Generations<V> {
    fn default() -> Self {
        Self { young: HashTable::new(), young_bytes: 0, old: HashTable::new() }
    }
}

impl<V: Send> Clone for PerWorker<V> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

// Written out because what is kept is proof of who somebody is.
impl<V: Send> fmt::Debug for PerWorker<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerWorker").field("max_bytes", &self.shared.max_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(cache: &PerWorker<u32>, shown: &str) -> Option<u32> {
        cache.find(shown.as_bytes(), |value| Some(*value))
    }

    #[test]
    fn what_is_used_stays_and_the_rest_is_bounded() {
        let cache = PerWorker::new(1000);
        cache.keep(b"used", 7);
        for n in 0..1000_u32 {
            cache.keep(format!("other-{n:04}").as_bytes(), n);
            assert_eq!(value(&cache, "used"), Some(7), "{n}");
        }
        let kept = (0..1000_u32).filter(|n| value(&cache, &format!("other-{n:04}")).is_some()).count();
        assert!((40..=100).contains(&kept), "{kept} of 10 bytes each");
        assert_eq!(value(&cache, "other-0000"), None);
    }

    #[test]
    fn what_no_longer_holds_is_forgotten() {
        let cache = PerWorker::new(1000);
        cache.keep(b"a", 1);
        cache.keep(b"a", 2);
        assert_eq!(value(&cache, "a"), Some(2), "the newer one counts");
        assert_eq!(cache.find(b"a", |_| None::<()>), None);
        assert_eq!(value(&cache, "a"), None);
    }

    #[test]
    fn nothing_is_kept_without_room_or_for_one_that_would_take_it_all() {
        let none = PerWorker::new(0);
        none.keep(b"", 1);
        assert_eq!(value(&none, ""), None);
        let cache = PerWorker::new(160);
        cache.keep(b"12345678901", 1);
        cache.keep(b"1234567890", 2);
        assert_eq!((value(&cache, "12345678901"), value(&cache, "1234567890")), (None, Some(2)));
    }

    #[test]
    fn each_thread_finds_out_for_itself() {
        let cache = PerWorker::new(1000);
        cache.keep(b"a", 1);
        let other = cache.clone();
        std::thread::spawn(move || assert_eq!(value(&other, "a"), None)).join().unwrap();
        assert_eq!(value(&cache, "a"), Some(1));
    }
}
