//! Pairs of hash and password that were verified before.
//!
//! Argon2 is slow on purpose, and a client sends its password with each request. A pair that was
//! verified once is known by a keyed digest of 128 bits: neither hash nor password is kept, and
//! whoever does not know the key cannot say what a digest would be. The hash is part of the pair,
//! so that another password for a credential, or another credential, is another pair. The table has
//! a fixed size, and no lock: its entries are written and read in halves that only count together.
//!
//! The digest is SipHash-2-4, which was made for this: short texts, and tags that nobody can make without the key, in less
//! time than an HMAC takes.

use std::{
    hash::Hasher,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use siphasher::sip128::{Hasher128, SipHasher24};
use subtle::ConstantTimeEq;

/// How many pairs are remembered: 1 MiB, which is taken when the first one is.
const PAIRS: usize = 65_536;
/// A pair has this many places, so that few pairs drive each other out.
const PLACES: usize = 4;

/// The keyed digest of a pair.
#[derive(Clone, Copy)]
pub(super) struct Tag([u64; 2]);

#[derive(Default)]
pub(super) struct Verified {
    /// `None` inside if the system has no randomness: then nothing is remembered.
    key: OnceLock<Option<[u8; 16]>>,
    table: OnceLock<Box<[Entry]>>,
}

#[derive(Default)]
struct Entry([AtomicU64; 2]);

impl Verified {
    /// The tag of a pair; `None` if there is no key.
    pub(super) fn tag(&self, hash: &str, password: &[u8]) -> Option<Tag> {
        let mut digest = SipHasher24::new_with_key(self.key.get_or_init(new_key).as_ref()?);
        // No hash contains a zero byte.
        for part in [hash.as_bytes(), &[0], password] {
            digest.write(part);
        }
        let digest = digest.finish128();
        Some(Tag([digest.h1, digest.h2]))
    }

    /// Whether the pair of this tag was verified before.
    pub(super) fn contains(&self, tag: Tag) -> bool {
        let Some(table) = self.table.get() else { return false };
        places(table, tag).iter().any(|entry| entry.is(tag))
    }

    /// Remembers the pair of this tag, in the place of another if need be.
    pub(super) fn insert(&self, tag: Tag) {
        let table = self.table.get_or_init(|| (0..PAIRS).map(|_| Entry::default()).collect());
        let places = places(table, tag);
        let free = places.iter().find(|entry| entry.is(Tag([0; 2])));
        let Tag([_, any]) = tag;
        let chosen = free.or_else(|| places.get(usize::try_from(any).unwrap_or(0) % PLACES));
        if let Some(entry) = chosen {
            entry.set(tag);
        }
    }
}

fn new_key() -> Option<[u8; 16]> {
    let mut key = [0; 16];
    SystemRandom::new().fill(&mut key).ok().map(|()| key)
}

/// Where this tag may stand.
fn places(table: &[Entry], Tag([set, _]): Tag) -> &[Entry] {
    let start = usize::try_from(set % (PAIRS / PLACES) as u64).unwrap_or(0) * PLACES;
    table.get(start..start + PLACES).unwrap_or_default()
}

impl Entry {
    fn is(&self, Tag([first, second]): Tag) -> bool {
        let Self([a, b]) = self;
        let same = a.load(Ordering::Relaxed).ct_eq(&first) & b.load(Ordering::Relaxed).ct_eq(&second);
        same.into()
    }

    fn set(&self, Tag([first, second]): Tag) {
        let Self([a, b]) = self;
        a.store(first, Ordering::Relaxed);
        b.store(second, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_pair_is_known() {
        let verified = Verified::default();
        let tag = |hash: &str, password: &str| verified.tag(hash, password.as_bytes()).unwrap();
        assert!(!verified.contains(tag("hash", "password")));
        verified.insert(tag("hash", "password"));
        assert!(verified.contains(tag("hash", "password")));
        for (hash, password) in [("hash", "Password"), ("hash2", "password"), ("hashp", "assword"), ("", "")] {
            assert!(!verified.contains(tag(hash, password)), "{hash} {password}");
        }
        assert!(!Verified::default().contains(tag("hash", "password")), "each has a key of its own");
    }

    #[test]
    fn it_holds_no_more_than_it_may_and_mostly_the_newest() {
        let verified = Verified::default();
        let tags: Vec<_> = (0..3 * PAIRS).map(|n| verified.tag("hash", &n.to_be_bytes()).unwrap()).collect();
        tags.iter().for_each(|tag| verified.insert(*tag));
        let known = |tags: &[Tag]| tags.iter().filter(|tag| verified.contains(**tag)).count();
        assert!(known(&tags) <= PAIRS);
        assert!(known(tags.get(3 * PAIRS - PAIRS / 10..).unwrap()) > PAIRS / 10 * 9 / 10);
    }
}
