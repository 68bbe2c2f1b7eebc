//! The better of two.

use crate::{Pick, load::Loads, shares::Shares};

/// Draws two targets by chance and takes the one with fewer requests in flight for its weight: nearly
/// as even as looking at all, and several gateways that do not know of each other's requests do not all run to
/// the same target.
#[derive(Debug)]
pub struct TwoChoices {
    shares: Shares,
    loads: Loads,
}

impl TwoChoices {
    /// Chooses among targets of these weights. A target of weight 0 is never chosen.
    pub fn new(weights: impl IntoIterator<Item = u16> + Clone) -> Self {
        Self { shares: Shares::new(weights.clone()), loads: Loads::new(weights) }
    }

    fn load(&self, place: usize) -> Option<f64> {
        self.loads.next(place).map(|(requests, weight)| requests / weight)
    }

    /// A place in rotation, each as likely as it is heavy.
    fn draw(&self) -> Option<usize> {
        let length = self.shares.in_rotation();
        let drawn = if length == 0 { None } else { self.shares.place_at(fastrand::u64(..length)) };
        drawn.or_else(|| self.shares.place_except(fastrand::u64(..), &[]))
    }
}

impl Pick for TwoChoices {
    fn pick(&self, _: u32, tried: &[usize]) -> Option<usize> {
        let first = self.draw()?;
        let second = match self.draw()? {
            // Once more: the same one twice is no choice.
            second if second == first => self.draw()?,
            second => second,
        };
        let better = if self.load(second) < self.load(first) { second } else { first };
        if tried.contains(&better) { self.loads.least_except(tried, |place| self.load(place)) } else { Some(better) }
    }

    fn set_available(&self, place: usize, available: bool) {
        self.shares.set_available(place, available);
        self.loads.set_available(place, available);
    }

    fn wants_load(&self) -> bool {
        true
    }

    fn begin(&self, place: usize) {
        self.loads.begin(place);
    }

    fn end(&self, place: usize) {
        self.loads.end(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_stay_are_shared_nearly_by_weight() {
        let chooser = TwoChoices::new([1, 2, 1, 0]);
        let mut counts = [0usize; 4];
        for _ in 0..4_000 {
            let place = chooser.pick(0, &[]).unwrap();
            chooser.begin(place);
            counts[place] += 1;
        }
        for (count, expected) in counts.iter().zip([1_000usize, 2_000, 1_000, 0]) {
            assert!(count.abs_diff(expected) <= 40, "{counts:?}");
        }
    }

    #[test]
    fn the_busy_one_is_avoided() {
        let chooser = TwoChoices::new([1, 1]);
        (0..10).for_each(|_| chooser.begin(0));
        let busy = (0..1_000).filter(|_| chooser.pick(0, &[]) == Some(0)).count();
        assert!(busy < 300, "only when drawn three times in a row: {busy}");
        assert_eq!(chooser.pick(0, &[1]), Some(0));
        chooser.set_available(0, false);
        assert_eq!(chooser.pick(0, &[1]), Some(1));
        chooser.set_available(1, false);
        assert_eq!(chooser.pick(0, &[]), None);
    }
}
