//! A table that only grows, read and added to without a lock.

use std::sync::OnceLock;

/// A table that only grows: one look-up costs a few steps, and none of them waits.
///
/// A tree in which the bits of a key's hash say the way, two at a step. It is as deep as the logarithm
/// of its size, because hashes spread; a few equal ones only make their branch longer.
#[derive(Debug)]
pub(crate) struct Tree<K, V> {
    root: Branch<K, V>,
}

type Branch<K, V> = OnceLock<Box<Node<K, V>>>;

#[derive(Debug)]
struct Node<K, V> {
    key: K,
    value: V,
    branches: [Branch<K, V>; 4],
}

impl<K, V> Default for Tree<K, V> {
    fn default() -> Self {
        Self { root: OnceLock::new() }
    }
}

impl<K: Copy + PartialEq, V> Tree<K, V> {
    /// The value of this key, made now if it is new. Equal keys have the same hash.
    pub(crate) fn get(&self, hash: u64, key: K, make: impl Fn() -> V) -> &V {
        let (mut branch, mut way) = (&self.root, hash);
        loop {
            let node = branch.get_or_init(|| Box::new(Node::new(key, make())));
            if node.key == key {
                return &node.value;
            }
            let [a, b, c, d] = &node.branches;
            branch = match way & 3 {
                0 => a,
                1 => b,
                2 => c,
                _ => d,
            };
            way = way.rotate_right(2);
        }
    }
}

impl<K, V> Node<K, V> {
    fn new(key: K, value: V) -> Self {
        Self { key, value, branches: Default::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn each_key_has_one_value_whatever_its_hash() {
        for hash in [|_: u32| 0_u64, |key: u32| u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15)] {
            let (tree, made) = (Tree::default(), Cell::new(0));
            for key in (0..100).chain(0..100) {
                let value = tree.get(hash(key), key, || {
                    made.set(made.get() + 1);
                    key * 2
                });
                assert_eq!(*value, key * 2);
            }
            assert_eq!(made.get(), 100);
        }
    }
}
