//! All values of one metric, by their labels.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Something that is counted by several hands and shown as one.
pub(crate) trait Cell {
    /// One of the same shape in which nothing is counted.
    fn zero(&self) -> Self;
    /// Adds what the other has counted.
    fn absorb(&self, other: &Self);
}

/// Counts up.
pub(crate) type Counter = AtomicU64;

impl Cell for Counter {
    fn zero(&self) -> Self {
        Self::new(0)
    }

    fn absorb(&self, other: &Self) {
        self.fetch_add(other.load(Relaxed), Relaxed);
    }
}

/// All values of one metric. Whoever counts has a cell of its own, which nobody else writes to; the
/// cells of one set of labels are added up when they are shown.
#[derive(Debug)]
pub(crate) struct Family<C> {
    series: BTreeMap<String, Series<C>>,
}

#[derive(Debug)]
struct Series<C> {
    /// What those counted that count no more.
    past: C,
    hands: Vec<Arc<C>>,
}

impl<C> Default for Family<C> {
    fn default() -> Self {
        Self { series: BTreeMap::new() }
    }
}

impl<C: Cell> Family<C> {
    /// How many sets of labels there are.
    pub(crate) fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether anything was counted under these labels.
    pub(crate) fn has(&self, labels: &str) -> bool {
        self.series.contains_key(labels)
    }

    /// A cell for one more hand under these labels.
    pub(crate) fn join(&mut self, labels: String, new: C) -> Arc<C> {
        let series = self.series.entry(labels).or_insert_with(|| Series { past: new.zero(), hands: Vec::new() });
        series.settle();
        let cell = Arc::new(new);
        series.hands.push(cell.clone());
        cell
    }

    /// Forgets the labels under which nobody counts any more.
    pub(crate) fn forget_past(&mut self) {
        self.series.retain(|_, series| {
            series.settle();
            !series.hands.is_empty()
        });
    }

    /// The sum under each set of labels, sorted by them.
    pub(crate) fn sums(&mut self) -> impl Iterator<Item = (&str, C)> {
        self.series.iter_mut().map(|(labels, series)| {
            series.settle();
            let sum = series.past.zero();
            sum.absorb(&series.past);
            series.hands.iter().for_each(|cell| sum.absorb(cell));
            (labels.as_str(), sum)
        })
    }
}

impl<C: Cell> Series<C> {
    /// Adds the cells of those who are gone to the past.
    fn settle(&mut self) {
        let Self { past, hands } = self;
        hands.retain_mut(|cell| match Arc::get_mut(cell) {
            Some(gone) => {
                past.absorb(gone);
                false
            }
            None => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(family: &mut Family<Counter>) -> Vec<(String, u64)> {
        family.sums().map(|(labels, sum)| (labels.to_owned(), sum.into_inner())).collect()
    }

    #[test]
    fn hands_are_added_up_and_stay_in_the_sum_when_they_are_gone() {
        let mut family = Family::default();
        let (one, other) = (family.join("a".into(), Counter::new(0)), family.join("a".into(), Counter::new(0)));
        family.join("b".into(), Counter::new(0));
        one.store(2, Relaxed);
        other.store(3, Relaxed);
        assert_eq!(shown(&mut family), [("a".to_owned(), 5), ("b".to_owned(), 0)]);
        drop(one);
        assert_eq!(shown(&mut family)[0].1, 5);
        family.forget_past();
        assert_eq!(shown(&mut family), [("a".to_owned(), 5)], "somebody still counts under a");
        drop(other);
        family.forget_past();
        assert_eq!(family.len(), 0);
    }
}
