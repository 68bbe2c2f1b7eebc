//! Weighted round-robin.

use std::sync::atomic::{AtomicU64, Ordering};

/// Weighted round-robin over the places `0..n` of a list of targets.
///
/// One lap has `sum of weights / their greatest common divisor` turns, of which each target gets
/// `weight / divisor`, in an order that keeps the turns of each apart. Nothing is stored per turn:
/// turn *t* of a lap stands for slot `t × stride mod lap`, which visits every slot once because
/// the stride and the lap have no common divisor; the slots belong to the targets in ranges. So a
/// pick is one atomic addition and a binary search, and weights of 65535 cost no memory.
///
/// The first turn is random, so that several gateways do not march in step.
#[derive(Debug)]
pub struct RoundRobin {
    /// Per place, the first slot after those of its target.
    ends: Vec<u64>,
    stride: u64,
    turn: AtomicU64,
}

impl RoundRobin {
    /// Takes turns over targets of these weights. A target of weight 0 gets none.
    pub fn new(weights: impl IntoIterator<Item = u16>) -> Self {
        let weights: Vec<u64> = weights.into_iter().map(u64::from).collect();
        let divisor = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
        let mut lap = 0;
        let ends = weights
            .iter()
            .map(|weight| {
                lap += weight / divisor;
                lap
            })
            .collect();
        Self { ends, stride: stride(lap), turn: AtomicU64::new(fastrand::u64(..lap.max(1))) }
    }

    /// The turns of one lap.
    fn lap(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The place of the target whose turn it is; `None` if there is none with a weight.
    pub fn pick(&self) -> Option<usize> {
        let lap = self.lap();
        // A wrap-around after 2^64 picks would at most cut one lap short.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(lap)?;
        let slot = match turn.checked_mul(self.stride) {
            Some(product) => product % lap,
            None => (u128::from(turn) * u128::from(self.stride) % u128::from(lap)) as u64,
        };
        Some(self.place_of(slot))
    }

    /// The place of a target that is not among those already `tried`, as long as there is one
    /// left; then of any.
    pub fn pick_except(&self, tried: &[usize]) -> Option<usize> {
        let first = self.pick()?;
        if !tried.contains(&first) {
            return Some(first);
        }
        // A lap may be long, so the search does not follow it: the rest share by their weights.
        let open = || self.shares().filter(|(place, _)| !tried.contains(place));
        let total: u64 = open().map(|(_, share)| share).sum();
        let mut slot = self.turn.load(Ordering::Relaxed).wrapping_mul(self.stride).checked_rem(total).unwrap_or(0);
        for (place, share) in open() {
            if slot < share {
                return Some(place);
            }
            slot -= share;
        }
        Some(first)
    }

    fn place_of(&self, slot: u64) -> usize {
        self.ends.partition_point(|end| *end <= slot)
    }

    /// Each place with how many slots it has.
    fn shares(&self) -> impl Iterator<Item = (usize, u64)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| end - start).enumerate().filter(|(_, share)| *share > 0)
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A step near the golden section of the lap, which spreads best, without a divisor in common with it.
fn stride(lap: u64) -> u64 {
    let golden = (lap as f64 * 0.618_033_988_75) as u64;
    (golden.max(1)..).find(|step| greatest_common_divisor(lap, *step) == 1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lap_of(turns: &RoundRobin) -> Vec<usize> {
        (0..turns.lap()).filter_map(|_| turns.pick()).collect()
    }

    #[test]
    fn nothing_with_a_weight_means_nothing_to_pick() {
        for weights in [vec![], vec![0], vec![0, 0]] {
            let turns = RoundRobin::new(weights);
            assert_eq!(turns.pick(), None);
            assert_eq!(turns.pick_except(&[0]), None);
        }
    }

    #[test]
    fn equal_weights_take_turns() {
        let turns = RoundRobin::new([100, 100, 100]);
        let mut seen = lap_of(&turns);
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2], "a lap of equals is as short as it can be");
    }

    #[test]
    fn the_turns_of_a_heavy_target_are_spread() {
        let turns = RoundRobin::new([50, 50]);
        let seen: Vec<_> = (0..10).filter_map(|_| turns.pick()).collect();
        assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
        let turns = RoundRobin::new([9, 1]);
        let light: Vec<_> = (0..20).filter(|_| turns.pick() == Some(1)).collect();
        assert_eq!(light.len(), 2);
    }

    #[test]
    fn others_are_preferred_to_those_tried_before() {
        let turns = RoundRobin::new([u16::MAX, 1, 0]);
        for _ in 0..50 {
            assert_eq!(turns.pick_except(&[0]), Some(1));
            assert_eq!(turns.pick_except(&[1]), Some(0));
            assert!(turns.pick_except(&[0, 1]).is_some(), "with none left, any");
        }
    }

    proptest! {
        #[test]
        fn one_lap_gives_each_target_exactly_its_share(weights in prop::collection::vec(0u16..200, 1..12)) {
            let turns = RoundRobin::new(weights.iter().copied());
            let divisor = weights.iter().fold(0, |a, b| greatest_common_divisor(a, u64::from(*b))).max(1);
            for _ in 0..2 {
                let lap = lap_of(&turns);
                for (place, weight) in weights.iter().enumerate() {
                    let count = lap.iter().filter(|picked| **picked == place).count() as u64;
                    prop_assert_eq!(count, u64::from(*weight) / divisor);
                }
            }
        }

        #[test]
        fn a_retry_never_meets_a_tried_target_while_another_is_left(
            weights in prop::collection::vec(0u16..9, 1..9), tried in prop::collection::vec(0usize..9, 0..9)
        ) {
            let turns = RoundRobin::new(weights.iter().copied());
            let left = weights.iter().enumerate().any(|(place, weight)| *weight > 0 && !tried.contains(&place));
            for _ in 0..20 {
                match turns.pick_except(&tried) {
                    Some(place) => {
                        prop_assert!(weights[place] > 0);
                        prop_assert!(!left || !tried.contains(&place));
                    }
                    None => prop_assert!(weights.iter().all(|weight| *weight == 0)),
                }
            }
        }
    }
}
