//! The entities of one kind, in parts that copies share.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    iter::FlatMap,
    ops::{Index, IndexMut},
    slice,
    sync::Arc,
};

use uuid::Uuid;

use crate::entities::Entity;

/// So many entities are copied when one of them changes.
const PART: usize = 64;

/// The entities of one kind in their order, in parts that copies share: a copy costs next to nothing, and a
/// change of one entity copies its part alone.
pub struct List<T> {
    parts: Arc<Vec<Part<T>>>,
}

type Part<T> = Arc<Vec<T>>;

/// The entities of a [`List`], in order.
pub type Iter<'a, T> = FlatMap<slice::Iter<'a, Part<T>>, slice::Iter<'a, T>, fn(&Part<T>) -> slice::Iter<'_, T>>;

/// An entity that two lists do not have alike: as it was, and as it is.
pub type Difference<'a, T> = (Option<&'a T>, Option<&'a T>);

impl<T> List<T> {
    /// A list of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { parts: Arc::new(Vec::new()) }
    }

    /// The entities, in order.
    pub fn iter(&self) -> Iter<'_, T> {
        self.parts.iter().flat_map(|part| part.iter())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The one at this place.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&T> {
        let (part, place) = self.place(position)?;
        self.parts.get(part)?.get(place)
    }

    /// Whether this is a copy of `other`, and neither has changed since. What is equal otherwise may still differ here.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.parts, &other.parts)
    }

    fn place(&self, mut position: usize) -> Option<(usize, usize)> {
        for (number, part) in self.parts.iter().enumerate() {
            match position.checked_sub(part.len()) {
                Some(behind) => position = behind,
                None => return Some((number, position)),
            }
        }
        None
    }
}

impl<T: Clone> List<T> {
    /// Adds an entity at the end.
    pub fn push(&mut self, entity: T) {
        let parts = Arc::make_mut(&mut self.parts);
        match parts.last_mut().filter(|part| part.len() < PART) {
            Some(part) => Arc::make_mut(part).push(entity),
            None => parts.push(Arc::new(vec![entity])),
        }
    }

    /// The entities, in order, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        Arc::make_mut(&mut self.parts).iter_mut().flat_map(|part| Arc::make_mut(part).iter_mut())
    }

    fn get_mut(&mut self, position: usize) -> Option<&mut T> {
        let (part, place) = self.place(position)?;
        Arc::make_mut(Arc::make_mut(&mut self.parts).get_mut(part)?).get_mut(place)
    }
}

impl<T: Entity + Clone> List<T> {
    /// The entity with this id.
    #[must_use]
    pub fn by_id(&self, id: Uuid) -> Option<&T> {
        self.iter().find(|entity| entity.id() == id)
    }

    /// Puts an entity in the place of the one with its id, or adds it.
    pub fn put(&mut self, entity: T) {
        match self.find(entity.id()) {
            Some((part, place)) => {
                let part = Arc::make_mut(&mut self.parts).get_mut(part).map(Arc::make_mut);
                if let Some(present) = part.and_then(|part| part.get_mut(place)) {
                    *present = entity;
                }
            }
            None => self.push(entity),
        }
    }

    /// Takes out the entity with this id; whether it was there.
    pub fn remove(&mut self, id: Uuid) -> bool {
        let Some((number, place)) = self.find(id) else { return false };
        let parts = Arc::make_mut(&mut self.parts);
        if let Some(part) = parts.get_mut(number) {
            Arc::make_mut(part).remove(place);
        }
        join(parts, number);
        true
    }

    fn find(&self, id: Uuid) -> Option<(usize, usize)> {
        let place = |part: &Part<T>| part.iter().position(|entity| entity.id() == id);
        self.parts.iter().enumerate().find_map(|(number, part)| Some((number, place(part)?)))
    }

    /// The entities that are others than in the list before, or are not in both. Only parts that the two do not share are
    /// looked at.
    #[must_use]
    pub fn differences<'a>(&'a self, before: &'a Self) -> Vec<Difference<'a, T>>
    where
        T: PartialEq,
    {
        if self.is_same(before) {
            return Vec::new();
        }
        let mut gone: HashMap<Uuid, &T> = before.others(self).map(|entity| (entity.id(), entity)).collect();
        let mut found: Vec<Difference<'a, T>> = Vec::new();
        for entity in self.others(before) {
            match gone.remove(&entity.id()) {
                Some(same) if same == entity => {}
                before => found.push((before, Some(entity))),
            }
        }
        // In the order they had: what is made of the differences must not depend on chance.
        let gone = before.others(self).filter(|entity| gone.contains_key(&entity.id()));
        found.extend(gone.map(|entity| (Some(entity), None)));
        found
    }

    /// The entities in parts that the other list does not have.
    fn others<'a>(&'a self, other: &Self) -> impl Iterator<Item = &'a T> {
        let shared: HashSet<_> = other.parts.iter().map(Arc::as_ptr).collect();
        self.parts.iter().filter(move |part| !shared.contains(&Arc::as_ptr(part))).flat_map(|part| part.iter())
    }
}

/// Takes out a part that is empty; one that became small is joined with a neighbour, so that parts do not become many.
fn join<T: Clone>(parts: &mut Vec<Part<T>>, number: usize) {
    if parts.get(number).is_some_and(|part| part.is_empty()) {
        parts.remove(number);
        return;
    }
    for first in [Some(number), number.checked_sub(1)].into_iter().flatten() {
        let second = first.saturating_add(1);
        let (Some(one), Some(other)) = (parts.get(first), parts.get(second)) else { continue };
        if one.len().saturating_add(other.len()) <= PART / 2 {
            let other = parts.remove(second);
            if let Some(one) = parts.get_mut(first) {
                Arc::make_mut(one).extend(other.iter().cloned());
            }
            return;
        }
    }
}

// Written out because deriving would ask for `T: Clone` and `T: Default`.
impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self { parts: self.parts.clone() }
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.iter().eq(other.iter())
    }
}

impl<T: fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Clone> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(entities: I) -> Self {
        let mut list = Self::new();
        entities.into_iter().for_each(|entity| list.push(entity));
        list
    }
}

/// # Panics
/// If there is none at this place, as with a vector.
impl<T> Index<usize> for List<T> {
    type Output = T;

    fn index(&self, position: usize) -> &T {
        #[expect(clippy::expect_used, reason = "whoever indexes knows how many there are")]
        self.get(position).expect("an entity at this place")
    }
}

/// # Panics
/// If there is none at this place, as with a vector.
impl<T: Clone> IndexMut<usize> for List<T> {
    fn index_mut(&mut self, position: usize) -> &mut T {
        #[expect(clippy::expect_used, reason = "whoever indexes knows how many there are")]
        self.get_mut(position).expect("an entity at this place")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entities::Sni;

    fn sni(id: u128, name: u8) -> Sni {
        let (id, name) = (Uuid::from_u128(id), format!("{name}.example"));
        Sni { id, created_at: 0, updated_at: 0, name, certificate: Uuid::nil(), tags: None }
    }

    fn names(list: &List<Sni>) -> Vec<(Uuid, String)> {
        list.iter().map(|sni| (sni.id, sni.name.clone())).collect()
    }

    #[test]
    fn a_change_copies_one_part() {
        let before: List<_> = (0..1000).map(|id| sni(id, 0)).collect();
        let mut after = before.clone();
        assert!(after.is_same(&before) && after.differences(&before).is_empty());
        after.put(sni(500, 1));
        let kept = after.parts.iter().filter(|part| before.parts.iter().any(|known| Arc::ptr_eq(part, known))).count();
        assert_eq!((before.parts.len(), kept), (1000_usize.div_ceil(PART), before.parts.len() - 1));
        assert_eq!(after.differences(&before), [(Some(&sni(500, 0)), Some(&sni(500, 1)))]);
        assert_eq!((&before[500], &after[500], after.get(1000)), (&sni(500, 0), &sni(500, 1), None));
    }

    #[test]
    fn parts_do_not_become_many() {
        let mut list: List<_> = (0..10_000).map(|id| sni(id, 0)).collect();
        for id in (0..10_000).filter(|id| id % 100 != 0) {
            assert!(list.remove(Uuid::from_u128(id)));
        }
        assert_eq!(list.len(), 100);
        assert!(list.parts.len() <= 10, "{}", list.parts.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_is_a_list(writes in proptest::collection::vec((0..150_u128, 0..3_u8), 0..300)) {
            let (mut list, mut plain) = (List::new(), Vec::<Sni>::new());
            let mut versions = vec![(list.clone(), plain.clone())];
            for (id, name) in writes {
                let present = plain.iter().position(|sni| sni.id == Uuid::from_u128(id));
                match (present, name) {
                    (Some(place), 0) => drop((plain.remove(place), list.remove(Uuid::from_u128(id)))),
                    (None, 0) => prop_assert!(!list.remove(Uuid::from_u128(id))),
                    (Some(place), name) => (plain[place], ()) = (sni(id, name), list.put(sni(id, name))),
                    (None, name) => drop((plain.push(sni(id, name)), list.put(sni(id, name)))),
                }
                versions.push((list.clone(), plain.clone()));
            }
            for (list, plain) in &versions {
                prop_assert!(list.iter().eq(plain) && list.len() == plain.len() && list.is_empty() == plain.is_empty());
            }
            let ((before, plain_before), (after, plain_after)) = (&versions[versions.len() / 2], &versions[versions.len() - 1]);
            let mut found = after.differences(before);
            let mut expected: Vec<_> = plain_after.iter().filter_map(|sni| {
                let before = plain_before.iter().find(|before| before.id == sni.id);
                (before != Some(sni)).then_some((before, Some(sni)))
            }).collect();
            let is_gone = |before: &&Sni| plain_after.iter().all(|sni| sni.id != before.id);
            expected.extend(plain_before.iter().filter(is_gone).map(|before| (Some(before), None)));
            let id = |(before, after): &Difference<'_, Sni>| after.or(*before).unwrap().id;
            found.sort_by_key(id);
            expected.sort_by_key(id);
            prop_assert_eq!(found, expected);
            prop_assert_eq!(names(&list), plain.iter().map(|sni| (sni.id, sni.name.clone())).collect::<Vec<_>>());
        }
    }
}
