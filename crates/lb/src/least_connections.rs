//! The target with the fewest requests.

use crate::{Pick, load::Loads, tournament::Tournament};

/// Chooses the target for which `(requests in flight + 1) / weight` is smallest, in O(log n); equals
/// are chosen by chance.
///
/// The counts are of all threads together, so that one busy worker does not hide another's load.
#[derive(Debug)]
pub struct LeastConnections {
    loads: Loads,
    tournament: Tournament,
}

impl LeastConnections {
    /// Chooses among targets of these weights. A target of weight 0 is never chosen.
    pub fn new(weights: impl IntoIterator<Item = u16>) -> Self {
        let loads = Loads::new(weights);
        let chooser = Self { tournament: Tournament::new(loads.len()), loads };
        (0..chooser.loads.len()).for_each(|place| chooser.update(place));
        chooser
    }

    fn load(&self, place: usize) -> Option<f64> {
        self.loads.next(place).map(|(requests, weight)| requests / weight)
    }

    fn update(&self, place: usize) {
        self.tournament.update(place, || self.load(place));
    }
}

impl Pick for LeastConnections {
    fn pick(&self, _: u32, tried: &[usize]) -> Option<usize> {
        let least = self.tournament.least()?;
        if tried.contains(&least) { self.loads.least_except(tried, |place| self.load(place)) } else { Some(least) }
    }

    fn set_available(&self, place: usize, available: bool) {
        self.loads.set_available(place, available);
        self.update(place);
    }

    fn wants_load(&self) -> bool {
        true
    }

    fn begin(&self, place: usize) {
        self.loads.begin(place);
        self.update(place);
    }

    fn end(&self, place: usize) {
        self.loads.end(place);
        self.update(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends so many requests that stay, and counts where they went.
    fn fill(chooser: &LeastConnections, requests: usize) -> Vec<usize> {
        let mut counts = vec![0; chooser.loads.len()];
        for _ in 0..requests {
            let place = chooser.pick(0, &[]).unwrap();
            chooser.begin(place);
            counts[place] += 1;
        }
        counts
    }

    #[test]
    fn requests_that_stay_are_shared_by_weight() {
        assert_eq!(fill(&LeastConnections::new([1, 1, 1]), 300), [100, 100, 100]);
        assert_eq!(fill(&LeastConnections::new([3, 0, 1]), 400), [300, 0, 100]);
    }

    #[test]
    fn who_gets_done_gets_the_next() {
        let chooser = LeastConnections::new([1, 1, 1]);
        fill(&chooser, 30);
        chooser.end(1);
        assert_eq!(chooser.pick(0, &[]), Some(1));
        assert_ne!(chooser.pick(0, &[1]), Some(1), "a retry goes elsewhere");
        assert_eq!(chooser.pick(0, &[0, 1, 2]), Some(1), "with all tried, the least loaded again");
    }

    #[test]
    fn out_of_rotation_is_never_chosen_and_keeps_its_count() {
        let chooser = LeastConnections::new([1, 1]);
        chooser.set_available(0, false);
        assert_eq!(fill(&chooser, 10), [0, 10]);
        chooser.set_available(1, false);
        assert_eq!(chooser.pick(0, &[]), None);
        chooser.set_available(0, true);
        chooser.set_available(1, true);
        assert_eq!(fill(&chooser, 10), [10, 0], "it catches up");
    }

    #[test]
    fn places_unknown_and_ends_without_beginning_do_no_harm() {
        let chooser = LeastConnections::new([1]);
        chooser.end(0);
        chooser.begin(7);
        chooser.end(7);
        chooser.set_available(7, false);
        assert_eq!(chooser.pick(0, &[7]), Some(0));
        assert_eq!(LeastConnections::new([]).pick(0, &[]), None);
    }
}
