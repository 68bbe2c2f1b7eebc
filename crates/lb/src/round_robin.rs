//! Weighted round-robin.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    Pick,
    shares::{Shares, greatest_common_divisor, part},
};

/// 2^64 divided by the golden ratio: its multiples are spread evenly over any line.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Weighted round-robin over the places `0..n` of a list of targets.
///
/// One lap has `sum of weights / their greatest common divisor` turns, of which each target gets
/// `weight / divisor`, in an order that keeps the turns of each apart. Nothing is stored per turn:
/// turn *t* of a lap stands for slot `t × stride mod lap`, which visits every slot once because
/// the stride and the lap have no common divisor; the slots belong to the targets in ranges. So a
/// pick is one atomic addition and a search of O(log n), and weights of 65535 cost no memory.
///
/// While some targets are out of rotation, the others share all turns by their weights, spread by
/// multiples of the golden ratio.
///
/// The first turn is random, so that several gateways do not march in step.
#[derive(Debug)]
pub struct RoundRobin {
    shares: Shares,
    /// The only place with a weight, if there is but one.
    only: Option<usize>,
    stride: u64,
    turn: AtomicU64,
}

impl RoundRobin {
    /// Takes turns over targets of these weights. A target of weight 0 gets none.
    pub fn new(weights: impl IntoIterator<Item = u16>) -> Self {
        let shares = Shares::new(weights);
        let only = match shares.open().map(|(place, _)| place).take(2).collect::<Vec<_>>().as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        let lap = shares.whole();
        Self { only, stride: stride(lap), turn: AtomicU64::new(fastrand::u64(..lap.max(1))), shares }
    }

    /// The place whose turn it is; `None` if none is in rotation.
    pub fn next(&self) -> Option<usize> {
        if let Some(only) = self.only {
            return (self.shares.weight(only) > 0).then_some(only);
        }
        // A change beside it may show half: then the turn passes to the next.
        (0..4).find_map(|_| self.turn()).or_else(|| self.shares.place_except(self.fraction(), &[]))
    }

    fn turn(&self) -> Option<usize> {
        let (lap, length) = (self.shares.whole(), self.shares.in_rotation());
        if length != lap {
            return self.shares.place_at(part(self.fraction(), length));
        }
        // A wrap-around after 2^64 picks would at most cut one lap short.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(lap)?;
        let slot = match turn.checked_mul(self.stride) {
            Some(product) => product % lap,
            None => (u128::from(turn) * u128::from(self.stride) % u128::from(lap)) as u64,
        };
        self.shares.place_at(slot)
    }

    fn fraction(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed).wrapping_mul(GOLDEN)
    }
}

impl Pick for RoundRobin {
    fn pick(&self, _: u32, tried: &[usize]) -> Option<usize> {
        let next = self.next()?;
        // A lap may be long, so the search does not follow it: the rest share by their weights.
        if tried.contains(&next) { self.shares.place_except(self.fraction(), tried) } else { Some(next) }
    }

    fn set_available(&self, place: usize, available: bool) {
        self.shares.set_available(place, available);
    }
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
        (0..turns.shares.whole()).filter_map(|_| turns.next()).collect()
    }

    #[test]
    fn nothing_with_a_weight_means_nothing_to_pick() {
        for weights in [vec![], vec![0], vec![0, 0]] {
            let turns = RoundRobin::new(weights);
            assert_eq!(turns.next(), None);
            assert_eq!(turns.pick(0, &[0]), None);
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
        let seen: Vec<_> = (0..10).filter_map(|_| turns.next()).collect();
        assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
        let turns = RoundRobin::new([9, 1]);
        let light: Vec<_> = (0..20).filter(|_| turns.next() == Some(1)).collect();
        assert_eq!(light.len(), 2);
    }

    #[test]
    fn others_are_preferred_to_those_tried_before() {
        let turns = RoundRobin::new([u16::MAX, 1, 0]);
        for _ in 0..50 {
            assert_eq!(turns.pick(0, &[0]), Some(1));
            assert_eq!(turns.pick(0, &[1]), Some(0));
            assert!(turns.pick(0, &[0, 1]).is_some(), "with none left, any");
        }
    }

    #[test]
    fn those_in_rotation_share_by_their_weights() {
        let turns = RoundRobin::new([30, 20, 10, 40]);
        turns.set_available(3, false);
        let mut counts = [0u32; 4];
        (0..6_000).filter_map(|_| turns.next()).for_each(|place| counts[place] += 1);
        for (count, expected) in counts.iter().zip([3_000i64, 2_000, 1_000, 0]) {
            assert!((i64::from(*count) - expected).abs() <= 10, "{counts:?}");
        }
        turns.set_available(3, true);
        let lap = lap_of(&turns);
        assert_eq!(lap.iter().filter(|place| **place == 3).count(), 4, "whole laps are exact again: {lap:?}");
    }

    #[test]
    fn the_only_one_may_be_out_of_rotation() {
        let turns = RoundRobin::new([0, 7]);
        assert_eq!(turns.next(), Some(1));
        turns.set_available(1, false);
        assert_eq!(turns.next(), None);
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
                    prop_assert!(count == u64::from(*weight) / divisor);
                }
            }
        }

        #[test]
        fn a_retry_never_meets_a_tried_target_while_another_is_left(
            weights in prop::collection::vec(0u16..9, 1..9), tried in prop::collection::vec(0usize..9, 0..9),
            out in prop::collection::vec(0usize..9, 0..4),
        ) {
            let turns = RoundRobin::new(weights.iter().copied());
            out.iter().for_each(|place| turns.set_available(*place, false));
            let open = |place: &usize| weights[*place] > 0 && !out.contains(place);
            let left = (0..weights.len()).any(|place| open(&place) && !tried.contains(&place));
            for _ in 0..20 {
                match turns.pick(0, &tried) {
                    Some(place) => {
                        prop_assert!(open(&place));
                        prop_assert!(!left || !tried.contains(&place));
                    }
                    None => prop_assert!(!(0..weights.len()).any(|place| open(&place))),
                }
            }
        }
    }
}
