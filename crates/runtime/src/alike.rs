//! Plans on which the same plugins apply share what they have of them.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use towergate_core::{Choice, Level, Plugins};

/// Plugins of plans, by what they are made of.
///
/// Most of very many routes have no plugins of their own. What they have in common is in a cache whichever is asked for,
/// and in memory once.
#[derive(Default)]
pub(crate) struct Alike {
    known: HashMap<Vec<Ingredient>, Arc<Plugins>>,
}

/// A level of a choice by what it is of and the address of its policies, or the end of a plugin's. What is known
/// keeps its policies, so that no other comes to be at the same address.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Ingredient {
    Consumer(usize),
    Group(usize),
    Everybody(usize),
    Turn(usize),
    /// Of the choice for a plugin, or of a list of them.
    End,
}

impl Alike {
    /// Lets plans to come share these.
    pub(crate) fn know(&mut self, plugins: &Arc<Plugins>) {
        if let Some(ingredients) = ingredients(plugins) {
            self.known.entry(ingredients).or_insert_with(|| plugins.clone());
        }
    }

    /// Those that are known, if these are the same.
    pub(crate) fn share(&mut self, plugins: Plugins) -> Arc<Plugins> {
        match ingredients(&plugins).map(|ingredients| self.known.entry(ingredients)) {
            None => Arc::new(plugins),
            Some(Entry::Occupied(known)) => known.get().clone(),
            Some(Entry::Vacant(new)) => new.insert(Arc::new(plugins)).clone(),
        }
    }
}

/// What all else follows from. `None` where requests may be sent elsewhere: that depends on the route.
fn ingredients(plugins: &Plugins) -> Option<Vec<Ingredient>> {
    if !plugins.overrides.is_empty() {
        return None;
    }
    let mut all = Vec::new();
    plugins.guards.iter().for_each(|choice| add(Some(choice), &mut all));
    all.push(Ingredient::End);
    plugins.wraps.iter().for_each(|choice| add(choice.as_ref(), &mut all));
    all.push(Ingredient::End);
    plugins.observers.iter().for_each(|choice| add(Some(choice), &mut all));
    all.extend(plugins.response_turns.iter().flatten().copied().map(Ingredient::Turn));
    Some(all)
}

fn add<P: ?Sized>(choice: Option<&Choice<P>>, all: &mut Vec<Ingredient>) {
    let levels = choice.map(Choice::levels).unwrap_or_default();
    all.extend(levels.iter().map(|level| match level {
        Level::Consumer(policies) => Ingredient::Consumer(Arc::as_ptr(policies).addr()),
        Level::Group(policies) => Ingredient::Group(Arc::as_ptr(policies).addr()),
        Level::Everybody(policy) => Ingredient::Everybody(Arc::as_ptr(policy).cast::<()>().addr()),
    }));
    all.push(Ingredient::End);
}

#[cfg(test)]
mod tests {
    use towergate_core::Policy;

    use super::*;

    fn wrapped(policies: &[Option<&Arc<Policy>>]) -> Plugins {
        let choice = |policy: &Arc<Policy>| Choice::new("x", vec![Level::Everybody(policy.clone())]);
        let wraps = policies.iter().map(|policy| policy.map(choice)).collect();
        Plugins { wraps, ..Plugins::default() }
    }

    #[test]
    fn only_what_is_the_same_is_shared() {
        let (a, b): (Arc<Policy>, Arc<Policy>) = (Arc::new(1), Arc::new(1));
        let mut alike = Alike::default();
        let first = alike.share(wrapped(&[Some(&a), None]));
        assert!(Arc::ptr_eq(&first, &alike.share(wrapped(&[Some(&a), None]))));
        let turned = Plugins { response_turns: Some([1, 0].into()), ..wrapped(&[Some(&a), None]) };
        for other in [wrapped(&[Some(&b), None]), wrapped(&[None, Some(&a)]), wrapped(&[Some(&a)]), turned] {
            let other = alike.share(other);
            assert!(!Arc::ptr_eq(&first, &other));
            let mut next = Alike::default();
            next.know(&other);
            assert!(Arc::ptr_eq(&other, &next.share(Plugins::clone(&other))));
        }
    }
}
