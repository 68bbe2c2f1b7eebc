//! The names of the groups somebody is in.

use std::{fmt, hash::BuildHasher};

use hashbrown::{DefaultHashBuilder, HashTable};

/// From so many names on they are looked up by hash; fewer are compared one by one.
const INDEXED: usize = 16;

/// Names of groups in the order they were given; whether one is among them is told in a time that
/// does not grow with their number.
#[derive(Clone, Default)]
pub struct Groups {
    names: Box<[Box<str>]>,
    index: Option<Box<Index>>,
}

/// Places among the names, by the hash of the name.
#[derive(Clone)]
struct Index {
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Groups {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The names in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// Whether a name is among them.
    pub fn contains(&self, name: &str) -> bool {
        match &self.index {
            Some(index) => {
                let same = |place: &u32| self.names.get(*place as usize).is_some_and(|known| **known == *name);
                index.places.find(index.hasher.hash_one(name), same).is_some()
            }
            None => self.iter().any(|known| known == name),
        }
    }
}

impl Index {
    fn of(names: &[Box<str>]) -> Self {
        let hasher = DefaultHashBuilder::default();
        let hash = |place: &u32| hasher.hash_one(names.get(*place as usize).map_or("", |name| &**name));
        let mut places = HashTable::with_capacity(names.len());
        for place in 0..u32::try_from(names.len()).unwrap_or(u32::MAX) {
            places.insert_unique(hash(&place), place, hash);
        }
        Self { places, hasher }
    }
}

impl<T: Into<Box<str>>> FromIterator<T> for Groups {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        let names: Box<[Box<str>]> = names.into_iter().map(Into::into).collect();
        let index = (names.len() >= INDEXED).then(|| Box::new(Index::of(&names)));
        Self { names, index }
    }
}

impl PartialEq for Groups {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

impl Eq for Groups {}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_are_found_and_keep_their_order() {
        for count in [0, 1, INDEXED - 1, INDEXED, 1000] {
            let names: Vec<String> = (0..count).map(|n| format!("group-{}", (n * 7) % 1009)).collect();
            let groups: Groups = names.iter().map(String::as_str).collect();
            assert_eq!((groups.len(), groups.is_empty()), (count, count == 0));
            assert!(groups.iter().eq(names.iter().map(String::as_str)));
            assert!(names.iter().all(|name| groups.contains(name)));
            assert!(!groups.contains("group-") && !groups.contains("GROUP-0"));
        }
    }
}
