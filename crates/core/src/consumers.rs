//! The consumers of a directory, and how they are found.
//!
//! There may be a million of them. So the tables hold places alone, five bytes each: what a consumer is found by stands
//! with the consumer and nowhere else.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};
use uuid::Uuid;

use crate::directory::Consumer;

/// All consumers, in the order they were added.
#[derive(Debug, Default)]
pub(crate) struct Consumers {
    rows: Vec<Consumer>,
    by_id: Places,
    by_username: Places,
    by_custom_id: Places,
}

impl Consumers {
    pub(crate) fn all(&self) -> &[Consumer] {
        &self.rows
    }

    pub(crate) fn at(&self, place: u32) -> Option<&Consumer> {
        self.rows.get(place as usize)
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<&Consumer> {
        self.by_id.find(&id, &self.rows, |row| Some(&row.id))
    }

    pub(crate) fn by_username(&self, username: &str) -> Option<&Consumer> {
        self.by_username.find(username, &self.rows, |row| row.username.as_deref())
    }

    pub(crate) fn by_custom_id(&self, custom_id: &str) -> Option<&Consumer> {
        self.by_custom_id.find(custom_id, &self.rows, |row| row.custom_id.as_deref())
    }

    /// Adds one; a later one with the same id or name wins.
    pub(crate) fn add(&mut self, mut consumer: Consumer) {
        consumer.place = self.rows.len() as u32;
        self.rows.push(consumer);
        self.by_id.add_last(&self.rows, |row| Some(&row.id));
        self.by_username.add_last(&self.rows, |row| row.username.as_deref());
        self.by_custom_id.add_last(&self.rows, |row| row.custom_id.as_deref());
    }

    pub(crate) fn shrink(&mut self) {
        self.rows.shrink_to_fit();
    }
}

/// Places of consumers by one thing about them, which whoever asks must name alike each time.
#[derive(Debug, Default)]
struct Places {
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Places {
    fn find<'a, K: Hash + Eq + ?Sized>(
        &self,
        key: &K,
        rows: &'a [Consumer],
        key_of: impl Fn(&Consumer) -> Option<&K>,
    ) -> Option<&'a Consumer> {
        let row = |place: &u32| rows.get(*place as usize);
        let is_same = |place: &u32| row(place).and_then(&key_of) == Some(key);
        self.table.find(self.hasher.hash_one(Some(key)), is_same).and_then(row)
    }

    /// Adds the last of the consumers, if it has such a thing.
    fn add_last<K: Hash + Eq + ?Sized>(&mut self, rows: &[Consumer], key_of: impl Fn(&Consumer) -> Option<&K>) {
        let Some((last, key)) = rows.last().and_then(|last| Some((last.place, key_of(last)?))) else { return };
        let of = |place: &u32| rows.get(*place as usize).and_then(&key_of);
        let hash = self.hasher.hash_one(Some(key));
        match self.table.find_mut(hash, |place| of(place) == Some(key)) {
            Some(place) => *place = last,
            None => drop(self.table.insert_unique(hash, last, |place| self.hasher.hash_one(of(place)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_very_many_is_found_and_the_later_of_two_wins() {
        let mut consumers = Consumers::default();
        for n in 0..1000 {
            let mut consumer = Consumer::named(format!("user-{n}"));
            consumer.custom_id = (n % 2 == 0).then(|| format!("id-{n}"));
            consumers.add(consumer);
        }
        let place = |consumer: Option<&Consumer>| consumer.map(|consumer| consumer.place);
        for n in 0..1000 {
            let named = Consumer::named(format!("user-{n}"));
            assert_eq!(place(consumers.by_id(named.id)), Some(n));
            assert_eq!(place(consumers.by_username(&format!("user-{n}"))), Some(n));
            assert_eq!(place(consumers.by_custom_id(&format!("id-{n}"))), (n % 2 == 0).then_some(n));
        }
        assert_eq!(place(consumers.by_username("user-1000")), None);
        consumers.add(Consumer::named("user-7"));
        assert_eq!(place(consumers.by_username("user-7")), Some(1000));
    }
}
