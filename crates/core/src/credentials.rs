//! The credentials of one kind, and the table they are found in.
//!
//! With a million of them hardly anything is in the processor's caches, and a look-up takes as long as its reads from
//! memory that wait for each other. So there are two: one in an open table of fingerprints, one for the row, which holds
//! the key itself unless it is longer than usual ones.

use std::{fmt, hash::BuildHasher};

use hashbrown::DefaultHashBuilder;
use subtle::ConstantTimeEq;

use crate::directory::Credential;

/// The credentials of one kind.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    rows: Vec<Credential>,
    table: Table,
    hasher: DefaultHashBuilder,
}

impl Credentials {
    /// The one with this key. The final comparison takes the same time wherever the keys differ.
    pub(crate) fn find(&self, key: &str) -> Option<&Credential> {
        let row = |row: u32| self.rows.get(row as usize);
        let is_same = |at: u32| row(at).is_some_and(|row| are_same(row.key.as_bytes(), key.as_bytes()));
        self.table.find(fingerprint(self.hasher.hash_one(key)), is_same).and_then(row)
    }

    /// The one in this row.
    pub(crate) fn at(&self, row: u32) -> Option<&Credential> {
        self.rows.get(row as usize)
    }

    /// One that is always the same for the same text.
    pub(crate) fn any(&self, text: &str) -> Option<&Credential> {
        let choice = self.hasher.hash_one(text).checked_rem(self.rows.len() as u64)?;
        self.rows.get(usize::try_from(choice).ok()?)
    }

    /// Adds one whose key is not there yet; `make` is told its row.
    pub(crate) fn add(&mut self, key: &str, make: impl FnOnce(u32) -> Credential) {
        let row = self.rows.len() as u32;
        self.table.insert(fingerprint(self.hasher.hash_one(key)), row);
        self.rows.push(make(row));
    }

    pub(crate) fn shrink(&mut self) {
        self.rows.shrink_to_fit();
    }
}

/// Whether two texts are the same; takes the same time wherever texts of one length differ. Eight bytes at a time: `subtle`
/// by itself keeps the compiler away from each single byte.
fn are_same(a: &[u8], b: &[u8]) -> bool {
    let ((words, rest), (other_words, other_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let pairs = words.iter().zip(other_words);
    let differing = pairs.fold(0, |seen, (a, b)| seen | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b)));
    a.len() == b.len() && (differing.ct_eq(&0) & rest.ct_eq(other_rest)).into()
}

/// Of a hash, what is kept. The hash is keyed at random, so nobody can choose keys that look alike.
fn fingerprint(hash: u64) -> u32 {
    hash as u32
}

/// Which rows a fingerprint may stand for. Half empty at least every second time it grows, so that a search ends within
/// a cache line nearly always; a fingerprint's place follows from it alone, so that growing reads no row.
#[derive(Debug, Default)]
struct Table {
    places: Vec<Place>,
    used: usize,
}

/// A fingerprint and the number of its row, from 1; 0 is an empty place.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    fingerprint: u32,
    number: u32,
}

impl Table {
    const SMALLEST: usize = 8;

    fn find(&self, fingerprint: u32, is_same: impl Fn(u32) -> bool) -> Option<u32> {
        for place in self.from(fingerprint) {
            let row = place.number.checked_sub(1)?;
            if place.fingerprint == fingerprint && is_same(row) {
                return Some(row);
            }
        }
        None
    }

    fn insert(&mut self, fingerprint: u32, row: u32) {
        // Three quarters full at most.
        if self.used.saturating_mul(4) >= self.places.len().saturating_mul(3) {
            self.grow();
        }
        self.put(Place { fingerprint, number: row.saturating_add(1) });
        self.used = self.used.saturating_add(1);
    }

    fn put(&mut self, new: Place) {
        let empty = self.order(new.fingerprint).find(|at| self.places.get(*at).is_some_and(|place| place.number == 0));
        if let Some(place) = empty.and_then(|at| self.places.get_mut(at)) {
            *place = new;
        }
    }

    fn grow(&mut self) {
        let larger = self.places.len().saturating_mul(2).max(Self::SMALLEST);
        let before = std::mem::replace(&mut self.places, vec![Place::default(); larger]);
        for place in before.into_iter().filter(|place| place.number > 0) {
            self.put(place);
        }
    }

    fn from(&self, fingerprint: u32) -> impl Iterator<Item = &Place> {
        self.order(fingerprint).map_while(|at| self.places.get(at))
    }

    /// In which order places are looked at: as many as there are, a power of two.
    fn order(&self, fingerprint: u32) -> impl Iterator<Item = usize> + use<> {
        let (start, count) = (fingerprint as usize, self.places.len());
        (0..count).map(move |step| start.wrapping_add(step) & count.wrapping_sub(1))
    }
}

/// A text, in place if it is not longer than the keys that are usually given out (32 digits, a UUID).
#[derive(Clone)]
pub(crate) enum Key {
    Short { length: u8, bytes: [u8; Key::SHORT] },
    Long(Box<str>),
}

impl Key {
    const SHORT: usize = 38;

    pub(crate) fn new(text: &str) -> Self {
        let mut bytes = [0; Self::SHORT];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(start), Ok(length)) => {
                start.copy_from_slice(text.as_bytes());
                Self::Short { length, bytes }
            }
            _ => Self::Long(text.into()),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(text) => text.as_bytes(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

// Written out because a key is nobody's business.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_kept_as_it_is_however_long() {
        for text in ["", "k", "é", &"a".repeat(Key::SHORT), &"a".repeat(Key::SHORT + 1), &"é".repeat(500)] {
            assert_eq!(Key::new(text).as_str(), text);
        }
        assert!(matches!(Key::new("0ea90a8e-8a30-4ef7-b7d5-6ab5cd9ec1cb"), Key::Short { .. }), "a UUID");
        assert_eq!(format!("{:?}", Key::new("secret")), "Key");
    }

    #[test]
    fn texts_are_compared_to_the_last_byte() {
        for length in [0, 1, 7, 8, 9, 32, 36, 38, 40] {
            let text = vec![b'k'; length];
            let longer = [&text[..], b"k"].concat();
            assert!(are_same(&text, &text.clone()), "{length}");
            assert!(!are_same(&text, &longer) && !are_same(&longer, &text), "{length}");
            for at in 0..length {
                let mut other = text.clone();
                other[at] ^= 1;
                assert!(!are_same(&text, &other), "{length} {at}");
            }
        }
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        assert_eq!(Table::default().find(7, |_| true), None);
    }

    proptest! {
        /// Few different fingerprints, so that they meet.
        #[test]
        fn every_row_is_found_by_its_fingerprint(fingerprints in prop::collection::vec(0u32..50, 0..200)) {
            let mut table = Table::default();
            for (row, fingerprint) in (0..).zip(&fingerprints) {
                table.insert(*fingerprint, row);
            }
            for (row, fingerprint) in (0..).zip(&fingerprints) {
                prop_assert_eq!(table.find(*fingerprint, |found| found == row), Some(row));
            }
            prop_assert_eq!(table.find(50, |_| true), None);
            prop_assert!(table.places.len() * 3 >= table.used * 4);
        }
    }
}
