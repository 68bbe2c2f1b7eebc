//! Who owns which part of a line whose length is the sum of the weights in rotation.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The weights in rotation, laid out side by side: finding whose part a slot is in, and taking a
/// weight out or putting it back, take O(log n) (a Fenwick tree of atomics).
///
/// A search beside a change may see half of it. What it finds is then out of rotation or beyond the
/// last place, which callers notice.
#[derive(Debug)]
pub(crate) struct Shares {
    weights: Vec<u64>,
    available: Vec<AtomicBool>,
    /// At `i`, the sum of the last `i & -i` weights in rotation up to the `i`th, counted from 1.
    sums: Vec<AtomicU64>,
    in_rotation: AtomicU64,
    whole: u64,
}

impl Shares {
    /// All in rotation; weights are divided by their greatest common divisor.
    pub(crate) fn new(weights: impl IntoIterator<Item = u16>) -> Self {
        let mut weights: Vec<u64> = weights.into_iter().map(u64::from).collect();
        let divisor = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
        weights.iter_mut().for_each(|weight| *weight /= divisor);
        let shares = Self {
            available: weights.iter().map(|_| AtomicBool::new(false)).collect(),
            sums: (0..=weights.len()).map(|_| AtomicU64::new(0)).collect(),
            in_rotation: AtomicU64::new(0),
            whole: weights.iter().sum(),
            weights,
        };
        (0..shares.weights.len()).for_each(|place| shares.set_available(place, true));
        shares
    }

    /// The sum of all weights, in rotation or not.
    pub(crate) fn whole(&self) -> u64 {
        self.whole
    }

    /// The sum of the weights in rotation.
    pub(crate) fn in_rotation(&self) -> u64 {
        self.in_rotation.load(Ordering::Relaxed)
    }

    /// The weight of a place that is in rotation, 0 of any other.
    pub(crate) fn weight(&self, place: usize) -> u64 {
        match self.available.get(place) {
            Some(available) if available.load(Ordering::Relaxed) => self.weights.get(place).copied().unwrap_or(0),
            _ => 0,
        }
    }

    /// The places in rotation with their weights.
    pub(crate) fn open(&self) -> impl Iterator<Item = (usize, u64)> {
        (0..self.weights.len()).map(|place| (place, self.weight(place))).filter(|(_, weight)| *weight > 0)
    }

    pub(crate) fn set_available(&self, place: usize, available: bool) {
        let Some((flag, weight)) = self.available.get(place).zip(self.weights.get(place).copied()) else { return };
        if flag.swap(available, Ordering::Relaxed) == available {
            return;
        }
        let add = |sum: &AtomicU64| match available {
            true => sum.fetch_add(weight, Ordering::Relaxed),
            false => sum.fetch_sub(weight, Ordering::Relaxed),
        };
        add(&self.in_rotation);
        let mut index = place.saturating_add(1);
        while let Some(sum) = self.sums.get(index) {
            add(sum);
            index = index.saturating_add(lowest_bit(index));
        }
    }

    /// The place in rotation that owns this slot of `0..in_rotation`.
    pub(crate) fn place_at(&self, mut slot: u64) -> Option<usize> {
        let mut passed = 0;
        let mut step = self.sums.len().checked_next_power_of_two()?;
        while step > 0 {
            let next = passed | step;
            if let Some(sum) = self.sums.get(next).map(|sum| sum.load(Ordering::Relaxed))
                && sum <= slot
            {
                slot = slot.saturating_sub(sum);
                passed = next;
            }
            step >>= 1;
        }
        (self.weight(passed) > 0).then_some(passed)
    }

    /// The place that owns this fraction (of 2^64) of the line, none of those tried as long as there
    /// is another. With some tried it looks at every place.
    pub(crate) fn place_except(&self, fraction: u64, tried: &[usize]) -> Option<usize> {
        let others = || self.open().filter(|(place, _)| !tried.contains(place));
        let total: u64 = others().map(|(_, weight)| weight).sum();
        match total {
            0 => owner(self.open(), part(fraction, self.open().map(|(_, weight)| weight).sum())),
            total => owner(others(), part(fraction, total)),
        }
    }
}

/// The place that owns this slot of these, laid out side by side.
fn owner(mut places: impl Iterator<Item = (usize, u64)>, mut slot: u64) -> Option<usize> {
    places.find_map(|(place, weight)| match slot.checked_sub(weight) {
        None => Some(place),
        Some(rest) => {
            slot = rest;
            None
        }
    })
}

/// This fraction (of 2^64) of a length.
pub(crate) fn part(fraction: u64, length: u64) -> u64 {
    (u128::from(fraction).wrapping_mul(u128::from(length)) >> 64) as u64
}

pub(crate) fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

fn lowest_bit(index: usize) -> usize {
    index & index.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_place_owns_as_many_slots_as_its_weight(
            weights in prop::collection::vec(0u16..50, 0..40),
            changes in prop::collection::vec((0usize..45, any::<bool>()), 0..60),
        ) {
            let shares = Shares::new(weights.iter().copied());
            let mut available = vec![true; weights.len()];
            for (place, state) in changes {
                shares.set_available(place, state);
                available.get_mut(place).into_iter().for_each(|flag| *flag = state);
            }
            let mut owned = vec![0; weights.len()];
            for slot in 0..shares.in_rotation() {
                owned[shares.place_at(slot).unwrap()] += 1;
            }
            let divisor = weights.iter().fold(0, |a, b| greatest_common_divisor(a, u64::from(*b))).max(1);
            for (place, weight) in weights.iter().enumerate() {
                let expected = if available[place] { u64::from(*weight) / divisor } else { 0 };
                prop_assert_eq!(owned[place], expected, "place {}", place);
            }
            prop_assert_eq!(shares.place_at(shares.in_rotation()), None);
        }
    }
}
