//! The order of guards where a configuration asks for another than PRIORITY's: Kong Enterprise's
//! dynamic plugin ordering. It is found when a plan is made, so that requests do not pay for it.

use std::sync::Arc;

use towergate_config::entities;
use uuid::Uuid;

use crate::{
    policies::scope,
    problem::CompileProblem,
    registry::{Band, Registry},
    scope::Scopes,
};

/// What a plugin entity says about its place among the others; most say nothing.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    id: Uuid,
    before: Vec<String>,
    after: Vec<String>,
}

/// What the plugin entities of a configuration say, by kind and scope.
pub(crate) struct Orders {
    /// One for each guard of the registry; none if nobody says anything.
    guards: Vec<Scopes<Order>>,
}

/// A plugin of a plan: its name, and what the entity that applies says.
type Placed<'a> = (&'static str, &'a Order);

impl Orders {
    /// Reads the orders of these entities, and reports those that ask for what cannot be done.
    pub(crate) fn new<'a>(
        registry: &Registry,
        entities: impl Iterator<Item = &'a entities::Plugin> + Clone,
        problems: &mut Vec<CompileProblem>,
    ) -> Self {
        if entities.clone().all(|entity| entity.ordering.is_none()) {
            return Self { guards: Vec::new() };
        }
        problems.extend(entities.clone().flat_map(|entity| across_bands(registry, entity)));
        let guards = registry.kinds().iter().filter(|kind| kind.band == Band::Guard);
        let of_kind = |name| {
            let entities = entities.clone().filter(move |entity| entity.name == name);
            Scopes::new(name, entities.map(|entity| (scope(entity), Arc::new(Order::of(entity)))))
        };
        Self { guards: guards.map(|kind| of_kind(kind.name)).collect() }
    }

    /// The order of the guards of a plan, as places in the order of PRIORITY; `None` if that is the
    /// order. `present` are the guards of the plan by their places in the registry.
    ///
    /// # Errors
    /// The entity that cannot be where it wants, and why.
    pub(crate) fn arrange(
        &self,
        present: &[usize],
        route: Option<Uuid>,
        service: Option<Uuid>,
    ) -> Result<Option<Vec<usize>>, CompileProblem> {
        if self.guards.is_empty() {
            return Ok(None);
        }
        let silent = Order::default();
        let placed: Vec<Placed<'_>> = present
            .iter()
            .filter_map(|kind| self.guards.get(*kind))
            .map(|scopes| (scopes.name(), scopes.for_everybody(route, service).map_or(&silent, |order| &**order)))
            .collect();
        arrange(&placed)
    }
}

impl Order {
    fn of(entity: &entities::Plugin) -> Self {
        let names = |of: fn(&entities::Ordering) -> &[String]| entity.ordering.as_ref().map(of).unwrap_or_default();
        let (before, after) = (names(entities::Ordering::before), names(entities::Ordering::after));
        Self { id: entity.id, before: before.to_vec(), after: after.to_vec() }
    }
}

/// Only guards change places among each other: what wraps them always runs before, what they wrap after.
fn across_bands(registry: &Registry, entity: &entities::Plugin) -> Vec<CompileProblem> {
    let place = |name: &str| registry.kinds().iter().position(|kind| kind.name == name);
    let band = |place: usize| registry.kinds().get(place).map(|kind| kind.band);
    let (Some(ordering), Some(own)) = (&entity.ordering, place(&entity.name)) else { return Vec::new() };
    let problem = |side: &str, other: &str| {
        let message = format!(
            "'{}' cannot run {side} '{other}': only plugins that decide on the head of a request change places",
            entity.name
        );
        CompileProblem::new("plugins", entity.id, Some(&entity.name), &format!("ordering.{side}"), message)
    };
    let movable = |other: usize| band(own) == Some(Band::Guard) && band(other) == Some(Band::Guard);
    let wrong = |names: &[String], is_so: fn(usize, usize) -> bool| {
        let wrong = |name: &&String| place(name).is_some_and(|other| !movable(other) && !is_so(own, other));
        names.iter().filter(wrong).cloned().collect::<Vec<_>>()
    };
    let before = wrong(ordering.before(), |own, other| own < other).into_iter().map(|other| problem("before", &other));
    let after = wrong(ordering.after(), |own, other| own > other).into_iter().map(|other| problem("after", &other));
    before.chain(after).collect()
}

/// Places each plugin right before the first of those it is to precede, or right after the last of
/// those it is to follow; all others stay in the order of PRIORITY.
fn arrange(placed: &[Placed<'_>]) -> Result<Option<Vec<usize>>, CompileProblem> {
    let pairs = pairs(placed);
    if pairs.iter().all(|(first, second)| first < second) {
        return Ok(None);
    }
    let wishes = Wishes::of(placed);
    let mut left: Vec<usize> = (0..placed.len()).collect();
    let mut order = Vec::with_capacity(placed.len());
    while !left.is_empty() {
        let is_free = |place: &usize| !pairs.iter().any(|(first, second)| second == place && left.contains(first));
        let Some(next) = left.iter().copied().filter(is_free).min_by_key(|place| wishes.known.get(*place).copied())
        else {
            return Err(circle(placed, &pairs, &left));
        };
        left.retain(|place| *place != next);
        order.push(next);
    }
    Ok(Some(order))
}

/// Who has to run before whom.
fn pairs(placed: &[Placed<'_>]) -> Vec<(usize, usize)> {
    let places = |names: &[String]| -> Vec<usize> {
        names.iter().filter_map(|name| placed.iter().position(|(known, _)| known == name)).collect()
    };
    let mut pairs = Vec::new();
    for (place, (_, order)) in placed.iter().enumerate() {
        pairs.extend(places(&order.before).into_iter().map(|other| (place, other)));
        pairs.extend(places(&order.after).into_iter().map(|other| (other, place)));
    }
    pairs
}

/// Where a plugin wants to stand: beside the place of another, or at its own. Beside each other they
/// keep the order of their own places.
type Wish = (usize, i32, usize);

/// The wishes of all, each found once.
struct Wishes<'a> {
    placed: &'a [Placed<'a>],
    known: Vec<Wish>,
    is_asked: Vec<bool>,
}

impl<'a> Wishes<'a> {
    fn of(placed: &'a [Placed<'a>]) -> Self {
        let known = (0..placed.len()).map(|place| (place, 0, place)).collect();
        let mut wishes = Self { placed, known, is_asked: vec![false; placed.len()] };
        for place in 0..placed.len() {
            wishes.find(place);
        }
        wishes
    }

    /// Who is asked again while being asked (wishes may lead in a circle) answers with its own place.
    fn find(&mut self, place: usize) -> Wish {
        let own = (place, 0, place);
        let is_asked = self.is_asked.get_mut(place).is_none_or(|asked| std::mem::replace(asked, true));
        let (false, Some((name, order))) = (is_asked, self.placed.get(place)) else {
            return self.known.get(place).copied().unwrap_or(own);
        };
        let beside = |(anchor, side, _): Wish, step: i32| (anchor, side.saturating_add(step), place);
        let first = self.places(&order.before).into_iter().map(|other| self.find(other)).min();
        // If both say the same, it is enough that one moves.
        let comes =
            |other: &usize| self.placed.get(*other).is_some_and(|(_, its)| its.before.iter().any(|n| n == name));
        let awaited: Vec<_> = self.places(&order.after).into_iter().filter(|other| !comes(other)).collect();
        let last = awaited.into_iter().map(|other| self.find(other)).max();
        let wish = match (first.filter(|first| *first < own), last.filter(|last| *last > own)) {
            (Some(first), _) => beside(first, -1),
            (None, Some(last)) => beside(last, 1),
            (None, None) => own,
        };
        if let Some(known) = self.known.get_mut(place) {
            *known = wish;
        }
        wish
    }

    fn places(&self, names: &[String]) -> Vec<usize> {
        names.iter().filter_map(|name| self.placed.iter().position(|(known, _)| known == name)).collect()
    }
}

/// What is wrong if nobody of those left may be the next.
fn circle(placed: &[Placed<'_>], pairs: &[(usize, usize)], left: &[usize]) -> CompileProblem {
    let before = |place: usize| {
        pairs.iter().find(|(first, second)| *second == place && left.contains(first)).map(|(first, _)| *first)
    };
    // Everybody left has somebody before: going back that way ends in the circle.
    let mut way: Vec<usize> = left.first().copied().into_iter().collect();
    while let Some(next) = way.last().and_then(|last| before(*last)) {
        if let Some(begin) = way.iter().position(|place| *place == next) {
            way.drain(..begin);
            way.push(next);
            break;
        }
        way.push(next);
    }
    way.reverse();
    let names: Vec<_> =
        way.iter().filter_map(|place| placed.get(*place)).map(|(name, _)| format!("'{name}'")).collect();
    let message = format!("goes round in a circle: {}; take one of these out", names.join(" before "));
    let says = |place: &&usize| placed.get(**place).is_some_and(|(_, order)| !order.id.is_nil());
    let (name, order) = way.iter().find(says).and_then(|place| placed.get(*place)).copied().unzip();
    CompileProblem::new("plugins", order.map_or(Uuid::nil(), |order| order.id), name, "ordering", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names in the order of PRIORITY, and what some of them say: `rate before key`.
    fn arranged(names: &[&'static str], says: &[&str]) -> Result<Vec<&'static str>, String> {
        let orders: Vec<Order> = names
            .iter()
            .enumerate()
            .map(|(place, name)| {
                let of = |side: &str| {
                    let words = says.iter().map(|text| text.split(' ').collect::<Vec<_>>());
                    words
                        .filter(|words| words[0] == *name && words[1] == side)
                        .map(|words| words[2].to_owned())
                        .collect()
                };
                Order { id: Uuid::from_u128(place as u128 + 1), before: of("before"), after: of("after") }
            })
            .collect();
        let placed: Vec<_> = names.iter().copied().zip(&orders).collect();
        match arrange(&placed) {
            Ok(None) => Ok(names.to_vec()),
            Ok(Some(order)) => Ok(order.into_iter().map(|place| names[place]).collect()),
            Err(problem) => Err(problem.to_string()),
        }
    }

    const ALL: [&str; 5] = ["cors", "key", "acl", "rate", "end"];

    #[test]
    fn who_says_something_moves_and_nobody_else() {
        let table: [(&[&str], [&str; 5]); 14] = [
            (&[], ALL),
            (&["rate before key"], ["cors", "rate", "key", "acl", "end"]),
            (&["rate before acl", "rate before key"], ["cors", "rate", "key", "acl", "end"]),
            (&["key after rate"], ["cors", "acl", "rate", "key", "end"]),
            (&["cors after key"], ["key", "cors", "acl", "rate", "end"]),
            (&["cors after key", "cors after rate"], ["key", "acl", "rate", "cors", "end"]),
            (&["key before rate"], ALL),
            (&["rate after cors"], ALL),
            (&["end before rate", "rate before key"], ["cors", "end", "rate", "key", "acl"]),
            (&["rate before key", "end before key"], ["cors", "rate", "end", "key", "acl"]),
            (&["rate before key", "key after rate"], ["cors", "rate", "key", "acl", "end"]),
            (&["cors after acl", "acl after rate"], ["key", "rate", "acl", "cors", "end"]),
            (&["end before key", "end after acl"], ["cors", "acl", "end", "key", "rate"]),
            (&["rate before nobody"], ALL),
        ];
        for (says, expected) in table {
            assert_eq!(arranged(&ALL, says).as_deref(), Ok(&expected[..]), "{says:?}");
        }
    }

    #[test]
    fn a_circle_is_told_with_its_way() {
        let table: [(&[&str], &str); 4] = [
            (&["key before rate", "rate before key"], "'key' before 'rate' before 'key'"),
            (&["key after rate", "rate after key"], "'key' before 'rate' before 'key'"),
            (
                &["rate before key", "key before acl", "acl before rate"],
                "'key' before 'acl' before 'rate' before 'key'",
            ),
            (&["end before rate", "rate before key", "key before rate"], "'key' before 'rate' before 'key'"),
        ];
        for (says, circle) in table {
            let told = arranged(&ALL, says).unwrap_err();
            assert!(
                told.ends_with(&format!("ordering: goes round in a circle: {circle}; take one of these out")),
                "{told}"
            );
        }
    }
}
