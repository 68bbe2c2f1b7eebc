//! The least loaded of many, found without looking at all.

use std::sync::atomic::{AtomicU64, Ordering};

/// What stands for a place that is not to be chosen.
const OUT: u64 = u64::MAX;

/// A tree of atomics in which each node holds the smaller load of the two below it: finding the
/// least loaded place and telling a new load take O(log n), and nobody waits.
///
/// Two changes at once are settled because each looks again after it has written: whoever writes a
/// node last has seen what stands below it.
#[derive(Debug)]
pub(crate) struct Tournament {
    places: usize,
    /// The leaves begin here; the root is node 1, and below node `n` are `2n` and `2n + 1`.
    first_leaf: usize,
    nodes: Vec<AtomicU64>,
}

impl Tournament {
    /// So many places, none of them to be chosen yet.
    pub(crate) fn new(places: usize) -> Self {
        let first_leaf = places.max(1).next_power_of_two();
        let nodes = (0..first_leaf.saturating_mul(2)).map(|_| AtomicU64::new(OUT)).collect();
        Self { places, first_leaf, nodes }
    }

    /// Notes the load of a place, as `load` reads it now; `None` keeps it from being chosen.
    pub(crate) fn update(&self, place: usize, load: impl Fn() -> Option<f64>) {
        if place >= self.places {
            return;
        }
        let mut node = self.first_leaf.saturating_add(place);
        self.settle(node, || load().map_or(OUT, ordered));
        while node > 1 {
            node /= 2;
            self.settle(node, || self.node(node * 2).min(self.node(node * 2 + 1)));
        }
    }

    /// The least loaded place; among equals each has the same chance, as nearly as their number allows.
    pub(crate) fn least(&self) -> Option<usize> {
        let (mut node, mut first, mut width) = (1, 0, self.first_leaf);
        while node < self.first_leaf {
            width /= 2;
            let (left, right) = (self.node(node * 2), self.node(node * 2 + 1));
            let goes_right = match left.cmp(&right) {
                std::cmp::Ordering::Less => false,
                std::cmp::Ordering::Greater => true,
                std::cmp::Ordering::Equal => {
                    let inhabited = self.places.saturating_sub(first);
                    let on_left = inhabited.min(width);
                    fastrand::usize(..inhabited.min(width * 2).max(1)) >= on_left
                }
            };
            first += if goes_right { width } else { 0 };
            node = node * 2 + usize::from(goes_right);
        }
        (self.node(node) != OUT).then(|| node - self.first_leaf)
    }

    fn settle(&self, node: usize, read: impl Fn() -> u64) {
        let Some(cell) = self.nodes.get(node) else { return };
        loop {
            let value = read();
            cell.store(value, Ordering::SeqCst);
            if read() == value {
                return;
            }
        }
    }

    fn node(&self, node: usize) -> u64 {
        self.nodes.get(node).map_or(OUT, |cell| cell.load(Ordering::SeqCst))
    }
}

/// A number whose order is that of the load.
fn ordered(load: f64) -> u64 {
    let bits = load.to_bits();
    let number = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    number.min(OUT - 1)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, atomic::AtomicU32},
        thread,
    };

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_order_of_loads_is_kept() {
        let loads = [f64::NEG_INFINITY, -1e9, -1.0, -0.5, 0.0, 1e-9, 0.5, 1.0, 1e300, f64::INFINITY];
        assert!(loads.windows(2).all(|pair| ordered(pair[0]) < ordered(pair[1])));
        assert_ne!(ordered(f64::NAN), OUT);
    }

    #[test]
    fn equals_have_equal_chances() {
        for places in [1, 2, 3, 5, 8, 11] {
            let tree = Tournament::new(places);
            (0..places).for_each(|place| tree.update(place, || Some(1.0)));
            let mut counts = vec![0usize; places];
            (0..places * 4_000).filter_map(|_| tree.least()).for_each(|place| counts[place] += 1);
            assert!(counts.iter().all(|count| (3_500..4_500).contains(count)), "{counts:?}");
        }
    }

    #[test]
    fn changes_at_once_are_settled() {
        let (tree, loads) = (Arc::new(Tournament::new(6)), Arc::new([const { AtomicU32::new(0) }; 6]));
        let threads: Vec<_> = (0..6)
            .map(|seed| {
                let (tree, loads) = (tree.clone(), loads.clone());
                thread::spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed);
                    for _ in 0..3_000 {
                        let place = random.usize(..6);
                        loads[place].store(random.u32(1..100), Ordering::SeqCst);
                        tree.update(place, || Some(loads[place].load(Ordering::SeqCst).into()));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let all = loads.each_ref().map(|load| load.load(Ordering::SeqCst));
        assert_eq!(all[tree.least().unwrap()], *all.iter().min().unwrap(), "{all:?}");
    }

    proptest! {
        #[test]
        fn the_least_is_found(changes in prop::collection::vec((0usize..20, prop::option::of(-9i8..9)), 0..60)) {
            let (tree, mut loads) = (Tournament::new(17), [None; 17]);
            for (place, load) in changes {
                tree.update(place, || load.map(f64::from));
                if let Some(known) = loads.get_mut(place) {
                    *known = load;
                }
                let least = loads.iter().flatten().min();
                prop_assert_eq!(tree.least().and_then(|place| loads[place].as_ref()), least);
            }
        }
    }
}
