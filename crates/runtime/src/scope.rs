//! Which configuration of a plugin applies where: Kong's precedence.

use std::{collections::HashMap, sync::Arc};

use towergate_core::{Choice, Level};
use uuid::Uuid;

/// Where a plugin entity applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Scope {
    pub(crate) route: Option<Uuid>,
    pub(crate) service: Option<Uuid>,
    pub(crate) consumer: Option<Uuid>,
    pub(crate) group: Option<Uuid>,
}

/// All configurations of one plugin, by where they apply.
///
/// The maps are shared by the plans of all routes, so that a consumer's own configuration costs
/// the same with one route or with 10,000.
pub(crate) struct Scopes<P: ?Sized> {
    name: &'static str,
    places: HashMap<(Option<Uuid>, Option<Uuid>), Place<P>>,
}

/// What applies at one combination of route and service.
struct Place<P: ?Sized> {
    consumers: Arc<HashMap<Uuid, Arc<P>>>,
    groups: Arc<HashMap<Uuid, Arc<P>>>,
    everybody: Option<Arc<P>>,
}

impl<P: ?Sized> Default for Place<P> {
    fn default() -> Self {
        Self { consumers: Arc::default(), groups: Arc::default(), everybody: None }
    }
}

impl<P: ?Sized> Scopes<P> {
    /// The configurations of the plugin of this name.
    pub(crate) fn new(name: &'static str, policies: impl IntoIterator<Item = (Scope, Arc<P>)>) -> Self {
        let mut places: HashMap<_, Place<P>> = HashMap::new();
        for (scope, policy) in policies {
            let place = places.entry((scope.route, scope.service)).or_default();
            // Each map has but this one owner while the places are gathered.
            match (scope.consumer, scope.group) {
                (Some(consumer), _) => Arc::get_mut(&mut place.consumers).and_then(|map| map.insert(consumer, policy)),
                (None, Some(group)) => Arc::get_mut(&mut place.groups).and_then(|map| map.insert(group, policy)),
                (None, None) => place.everybody.replace(policy),
            };
        }
        Self { name, places }
    }

    /// The plugin's name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// What applies to requests of this route and service if their consumer has nothing of its own.
    pub(crate) fn for_everybody(&self, route: Option<Uuid>, service: Option<Uuid>) -> Option<&Arc<P>> {
        let at = |route, service| self.places.get(&(route, service))?.everybody.as_ref();
        let both = route.and(service).and_then(|_| at(route, service));
        both.or_else(|| route.and_then(|_| at(route, None)))
            .or_else(|| service.and_then(|_| at(None, service)))
            .or_else(|| at(None, None))
    }

    /// What applies to requests of this route and service (`None`, `None`: that match no route);
    /// `None` if nothing does.
    ///
    /// Kong's levels, most specific first; the first that fits replaces all later ones:
    /// route+service+consumer, route+consumer, service+consumer (each followed by the same with
    /// the consumer's group), route+service, consumer, group, route, service, everything.
    pub(crate) fn choice(&self, route: Option<Uuid>, service: Option<Uuid>) -> Option<Choice<P>> {
        let both = route.and(service).and_then(|_| self.places.get(&(route, service)));
        let by_route = route.and_then(|_| self.places.get(&(route, None)));
        let by_service = service.and_then(|_| self.places.get(&(None, service)));
        let global = self.places.get(&(None, None));
        let mut levels = Vec::new();
        for place in [both, by_route, by_service] {
            personal(place, &mut levels);
        }
        let everybody = |place: Option<&Place<P>>| place.and_then(|place| place.everybody.clone());
        let general = match everybody(both) {
            Some(policy) => Some(policy),
            None => {
                personal(global, &mut levels);
                everybody(by_route).or_else(|| everybody(by_service)).or_else(|| everybody(global))
            }
        };
        levels.extend(general.map(Level::Everybody));
        (!levels.is_empty()).then(|| Choice::new(self.name, levels))
    }
}

fn personal<P: ?Sized>(place: Option<&Place<P>>, levels: &mut Vec<Level<P>>) {
    let Some(place) = place else { return };
    if !place.consumers.is_empty() {
        levels.push(Level::Consumer(place.consumers.clone()));
    }
    if !place.groups.is_empty() {
        levels.push(Level::Group(place.groups.clone()));
    }
}

#[cfg(test)]
mod tests {
    use towergate_core::Consumer;

    use super::*;

    const R: Uuid = Uuid::from_u128(1);
    const S: Uuid = Uuid::from_u128(2);
    const G: Uuid = Uuid::from_u128(4);

    fn scope(route: bool, service: bool, consumer: Option<Uuid>, group: bool) -> Scope {
        Scope { route: route.then_some(R), service: service.then_some(S), consumer, group: group.then_some(G) }
    }

    #[test]
    fn the_eight_levels_with_groups_between_in_kongs_order() {
        let mut alice = Consumer::named("alice");
        alice.groups = vec![G];
        let c = Some(alice.id);
        let order = [
            ("route+service+consumer", scope(true, true, c, false)),
            ("route+service+group", scope(true, true, None, true)),
            ("route+consumer", scope(true, false, c, false)),
            ("route+group", scope(true, false, None, true)),
            ("service+consumer", scope(false, true, c, false)),
            ("service+group", scope(false, true, None, true)),
            ("route+service", scope(true, true, None, false)),
            ("consumer", scope(false, false, c, false)),
            ("group", scope(false, false, None, true)),
            ("route", scope(true, false, None, false)),
            ("service", scope(false, true, None, false)),
            ("everything", scope(false, false, None, false)),
        ];
        for first in 0..order.len() {
            let rest = order[first..].iter().rev().map(|(name, scope)| (*scope, Arc::new(*name)));
            let choice = Scopes::new("x", rest).choice(Some(R), Some(S)).unwrap();
            assert_eq!(choice.pick(Some(&alice)), Some(&order[first].0));
        }
    }

    #[test]
    fn what_is_scoped_elsewhere_does_not_apply() {
        let scopes = Scopes::new("x", [(scope(true, false, None, false), Arc::new(()))]);
        assert!(scopes.choice(Some(Uuid::from_u128(9)), Some(S)).is_none());
        assert!(scopes.choice(None, None).is_none(), "a 404 has no route");
    }
}
