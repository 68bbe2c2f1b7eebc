//! All values of one metric, by their labels.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// How many sets of labels are read at a time.
const FEW: usize = 128;

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
    series: BTreeMap<Arc<str>, Series<C>>,
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
        let series = self.series.entry(labels.into()).or_insert_with(|| Series { past: new.zero(), hands: Vec::new() });
        series.settle();
        let cell = Arc::new(new);
        series.hands.push(cell.clone());
        cell
    }

    /// The sums under the next few sets of labels after these, in their order. With `forgets` those
    /// under which nobody counts any more are told for the last time.
    pub(crate) fn after(&mut self, labels: Option<&str>, forgets: bool) -> Vec<(Arc<str>, C)> {
        let from = labels.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.series.range_mut::<str, _>((from, Bound::Unbounded)).take(FEW);
        let (mut sums, mut gone) = (Vec::with_capacity(FEW), Vec::new());
        for (labels, series) in next {
            series.settle();
            sums.push((labels.clone(), series.sum()));
            if forgets && series.hands.is_empty() {
                gone.push(labels.clone());
            }
        }
        for labels in gone {
            self.series.remove(&labels);
        }
        sums
    }
}

/// Goes through all sums of a family, a few at a time: `next` answers those after the labels it is
/// given, and may take a lock for it that nobody waits long for.
pub(crate) fn each<C>(mut next: impl FnMut(Option<&str>) -> Vec<(Arc<str>, C)>, mut see: impl FnMut(&str, C)) {
    let mut last: Option<Arc<str>> = None;
    loop {
        let sums = next(last.as_deref());
        if sums.is_empty() {
            return;
        }
        for (labels, sum) in sums {
            see(&labels, sum);
            last = Some(labels);
        }
    }
}

impl<C: Cell> Series<C> {
    fn sum(&self) -> C {
        let sum = self.past.zero();
        sum.absorb(&self.past);
        self.hands.iter().for_each(|cell| sum.absorb(cell));
        sum
    }

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

    fn shown(family: &mut Family<Counter>, forgets: bool) -> Vec<(String, u64)> {
        let mut shown = Vec::new();
        each(
            |last| family.after(last, forgets),
            |labels, sum: Counter| shown.push((labels.to_owned(), sum.into_inner())),
        );
        shown
    }

    #[test]
    fn hands_are_added_up_and_stay_in_the_sum_when_they_are_gone() {
        let mut family = Family::default();
        let (one, other) = (family.join("a".into(), Counter::new(0)), family.join("a".into(), Counter::new(0)));
        family.join("b".into(), Counter::new(0));
        one.store(2, Relaxed);
        other.store(3, Relaxed);
        assert_eq!(shown(&mut family, false), [("a".to_owned(), 5), ("b".to_owned(), 0)]);
        drop(one);
        assert_eq!(shown(&mut family, true)[0].1, 5);
        assert_eq!(shown(&mut family, false), [("a".to_owned(), 5)], "somebody still counts under a");
        drop(other);
        assert_eq!(shown(&mut family, true), [("a".to_owned(), 5)], "for the last time");
        assert_eq!(family.len(), 0);
    }

    #[test]
    fn all_are_seen_a_few_at_a_time() {
        let mut family = Family::default();
        let names: Vec<String> = (0..3 * FEW).map(|number| format!("{number:04}")).collect();
        for name in &names {
            family.join(name.clone(), Counter::new(0));
        }
        assert_eq!(family.after(None, false).len(), FEW);
        assert!(shown(&mut family, true).iter().map(|(labels, _)| labels).eq(&names));
        assert_eq!(family.len(), 0);
    }
}
