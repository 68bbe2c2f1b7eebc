//! The same target for the same key.

use std::sync::atomic::{AtomicBool, Ordering};

use xxhash_rust::xxh32::xxh32;

use crate::Pick;

/// Points that a target of average weight gets.
const POINTS: f64 = 160.0;

/// Fewer slots than this crowd the points.
const FEWEST_SLOTS: u32 = 1000;

/// The hash of a key, for [`Pick::pick`]: xxHash32, as Kong takes it.
#[must_use]
pub fn hash(key: &[u8]) -> u32 {
    xxh32(key, 0)
}

/// Consistent hashing on a ring of slots (Ketama): a key belongs to the next point below its slot,
/// and a target that comes or goes moves no keys but its own.
///
/// Points and keys lie where Kong puts them, so that a key has the same target in both. Finding it
/// takes O(log n); past targets out of rotation or tried before, the search goes on point by point.
#[derive(Debug)]
pub struct ConsistentHash {
    slots: u32,
    /// Slot and place of each point, by slot.
    points: Vec<(u32, u32)>,
    available: Vec<AtomicBool>,
}

impl ConsistentHash {
    /// A ring of so many slots (1000 at least) for addresses with these names and weights, which are
    /// those of so many `targets`. An address of weight 0 gets no point.
    ///
    /// Where points meet, the order of addresses decides, so it should always be the same one. Kong's
    /// names are `ip::port`, its order is that of the targets' names, then their ports.
    pub fn new<N: AsRef<str>>(slots: u32, targets: usize, addresses: impl IntoIterator<Item = (N, u16)>) -> Self {
        let addresses: Vec<_> = addresses.into_iter().collect();
        let total: f64 = addresses.iter().map(|(_, weight)| f64::from(*weight)).sum();
        let mut ring = Ring::new(slots.max(FEWEST_SLOTS));
        for (place, (name, weight)) in (0u32..).zip(&addresses) {
            let share = f64::from(*weight) / total * targets as f64 * POINTS;
            let points = if *weight == 0 { 0 } else { (share as u32).max(1) };
            ring.add(place, name.as_ref(), points);
        }
        let available = addresses.iter().map(|(_, weight)| AtomicBool::new(*weight > 0)).collect();
        Self { slots: ring.slots(), points: ring.points(), available }
    }

    fn is_available(&self, place: usize) -> bool {
        self.available.get(place).is_some_and(|available| available.load(Ordering::Relaxed))
    }

    /// The places of all points, downwards from the slot of this hash.
    fn walk(&self, hash: u32) -> impl Iterator<Item = usize> {
        let slot = hash.checked_rem(self.slots).unwrap_or(0);
        let (below, above) = self.points.split_at(self.points.partition_point(|(at, _)| *at <= slot));
        below.iter().rev().chain(above.iter().rev()).map(|(_, place)| *place as usize)
    }
}

impl Pick for ConsistentHash {
    fn pick(&self, hash: u32, tried: &[usize]) -> Option<usize> {
        let mut owner = None;
        for place in self.walk(hash).filter(|place| self.is_available(*place)) {
            if !tried.contains(&place) {
                return Some(place);
            }
            owner = owner.or(Some(place));
        }
        owner
    }

    fn set_available(&self, place: usize, available: bool) {
        if let Some(flag) = self.available.get(place) {
            // A target of weight 0 has no points and needs no flag.
            flag.store(available, Ordering::Relaxed);
        }
    }
}

/// The slots while points are put into them.
struct Ring {
    /// Per slot, the place whose point it is.
    owners: Vec<Option<u32>>,
}

impl Ring {
    fn new(slots: u32) -> Self {
        Self { owners: vec![None; slots as usize] }
    }

    fn slots(&self) -> u32 {
        self.owners.len() as u32
    }

    /// Adds so many points for a name. A point that would lie on another is made up for by one more.
    fn add(&mut self, place: u32, name: &str, mut points: u32) {
        let slots = self.slots();
        let mut number = 1;
        while number <= points && number <= slots {
            let slot = hash(format!("{name} {number}").as_bytes()).checked_rem(slots).unwrap_or(0);
            match self.owners.get_mut(slot as usize) {
                Some(owner @ None) => *owner = Some(place),
                _ => points = points.saturating_add(1),
            }
            number = number.saturating_add(1);
        }
    }

    fn points(self) -> Vec<(u32, u32)> {
        (0..).zip(self.owners).filter_map(|(slot, owner)| Some((slot, owner?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SLOTS: u32 = 10_000;

    fn ring(names: &[String]) -> ConsistentHash {
        ConsistentHash::new(SLOTS, names.len(), names.iter().map(|name| (name, 100)))
    }

    fn owner<'a>(ring: &ConsistentHash, names: &'a [String], key: u32) -> &'a str {
        &names[ring.pick(hash(&key.to_le_bytes()), &[]).unwrap()]
    }

    /// From xxHash's own tests of its 32 bit variant.
    #[test]
    fn the_hash_is_xxhash32() {
        assert_eq!(hash(b""), 0x02CC_5D05);
        assert_eq!(hash(b"a"), 0x550D_7456);
        assert_eq!(hash(b"abc"), 0x32D1_53FF);
    }

    #[test]
    fn a_key_belongs_to_the_next_point_below_around_the_ring() {
        let ring = ConsistentHash {
            slots: 1000,
            points: vec![(10, 0), (500, 1), (900, 2)],
            available: [true, true, true].map(AtomicBool::new).into(),
        };
        for (slot, place) in [(10, 0), (11, 0), (499, 0), (500, 1), (899, 1), (900, 2), (999, 2), (0, 2), (9, 2)] {
            assert_eq!(ring.pick(slot, &[]), Some(place), "{slot}");
        }
        ring.set_available(1, false);
        assert_eq!(ring.pick(700, &[]), Some(0));
        assert_eq!(ring.pick(700, &[0]), Some(2));
        assert_eq!(ring.pick(700, &[0, 2]), Some(0), "with all tried, the one whose it is");
        ring.set_available(0, false);
        ring.set_available(2, false);
        assert_eq!(ring.pick(700, &[]), None);
    }

    #[test]
    fn points_are_shared_by_weight() {
        let ring = ConsistentHash::new(SLOTS, 3, [("a", 100), ("b", 300), ("c", 0), ("d", 1)]);
        let count = |place| ring.points.iter().filter(|(_, owner)| *owner == place).count();
        // floor(100 / 401 × 3 × 160), and so on.
        assert_eq!([0, 1, 2, 3].map(count), [119, 359, 0, 1]);
    }

    #[test]
    fn a_crowded_ring_comes_to_an_end() {
        let names: Vec<_> = (0..100).map(|n| format!("10.0.0.{n}::80")).collect();
        let ring = ConsistentHash::new(10, names.len(), names.iter().map(|name| (name, 100)));
        assert_eq!(ring.slots, FEWEST_SLOTS);
        assert!(ring.pick(7, &[]).is_some());
        assert_eq!(ConsistentHash::new(SLOTS, 0, Vec::<(&str, u16)>::new()).pick(7, &[]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn a_target_that_comes_or_goes_moves_few_keys_but_its_own(count in 2usize..20, gone in 0usize..20, seed: u32) {
            let before: Vec<_> = (0..count).map(|n| format!("10.{}.0.{n}::80", seed % 250)).collect();
            let gone = before[gone % count].clone();
            let after: Vec<_> = before.iter().filter(|name| **name != gone).cloned().collect();
            let (full, less) = (ring(&before), ring(&after));
            let strays = (0..2_000).filter(|key| {
                let (was, is) = (owner(&full, &before, *key), owner(&less, &after, *key));
                was != is && was != gone
            });
            // Only where points met does another's point move.
            let share = count as f64 * POINTS / f64::from(SLOTS);
            let strays = strays.count();
            prop_assert!(strays as f64 <= 2_000.0 * share.max(0.02), "{} of 2000 keys strayed", strays);
        }

        #[test]
        fn out_of_rotation_moves_no_keys_but_its_own(count in 2usize..20, out in 0usize..20) {
            let names: Vec<_> = (0..count).map(|n| format!("10.0.0.{n}::80")).collect();
            let ring = ring(&names);
            let out = out % count;
            let before: Vec<_> = (0..500).map(|key: u32| owner(&ring, &names, key).to_owned()).collect();
            ring.set_available(out, false);
            for (key, was) in (0..500).zip(&before) {
                let is = owner(&ring, &names, key);
                prop_assert!(is == was || *was == names[out]);
                prop_assert!(is != names[out]);
            }
            ring.set_available(out, true);
            for (key, was) in (0..500).zip(&before) {
                prop_assert_eq!(owner(&ring, &names, key), was);
            }
        }
    }
}
