//! Keys of tables: 64 bits computed from the bytes as they are compared.
//!
//! A lookup needs no lower-case copy this way, and nothing is stored but the number. Two texts with
//! the same key only share a table entry: whatever a table yields is checked in full afterwards. A
//! client cannot make a table slow either, because it does not choose what is in it.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

pub(crate) type KeyMap<T> = HashMap<Key, T, BuildHasherDefault<KeyHasher>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(u64);

impl Key {
    /// Of bytes compared one by one.
    pub(crate) fn exact(bytes: &[u8]) -> Self {
        Self::new(0, bytes, |byte| byte)
    }

    /// Of bytes compared without letter case.
    pub(crate) fn any_case(seed: u64, bytes: &[u8]) -> Self {
        Self::new(seed, bytes, |byte| byte.to_ascii_lowercase())
    }

    /// Of a header name.
    pub(crate) fn header_name(name: &[u8]) -> Self {
        Self::new(0, name, |byte| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() })
    }

    /// The key of this together with a number.
    pub(crate) const fn with(self, number: u64) -> Self {
        Self(mix(self.0, number.wrapping_add(1)))
    }

    /// The key of this together with a text in any letter case.
    pub(crate) fn with_any_case(self, bytes: &[u8]) -> Self {
        Self::any_case(self.0, bytes)
    }

    fn new(seed: u64, bytes: &[u8], fold: impl Fn(u8) -> u8) -> Self {
        let mut key = seed ^ bytes.len() as u64;
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = fold(*from);
            }
            key = mix(key, u64::from_le_bytes(word));
        }
        Self(mix(key, 0))
    }
}

const fn mix(key: u64, word: u64) -> u64 {
    let mixed = (key.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 32)
}

/// Passes a [`Key`] through: it is a hash already.
#[derive(Debug, Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = mix(self.0, u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_when_compared_equal() {
        assert_eq!(Key::any_case(0, b"Example.COM"), Key::any_case(0, b"example.com"));
        assert_eq!(Key::header_name(b"X_Tenant-Id"), Key::header_name(b"x-tenant_id"));
        assert_ne!(Key::exact(b"GET"), Key::exact(b"get"));
        assert_ne!(Key::exact(b"a\0"), Key::exact(b"a"));
        assert_ne!(Key::exact(b"a").with(0), Key::exact(b"a"));
    }

    #[test]
    fn few_texts_share_a_key() {
        let mut keys: Vec<_> = (0..100_000).map(|n| Key::exact(format!("h{n}.example.com").as_bytes())).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 100_000);
    }
}
