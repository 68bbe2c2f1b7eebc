//! Which routes and services a change concerns.

use std::collections::HashSet;

use towergate_config::{
    Difference,
    entities::{Route, Service},
};
use uuid::Uuid;

use crate::scope::Scope;

/// Which routes and services a change concerns: all others keep what was made for them.
#[derive(Debug, Default)]
pub(crate) struct Concerned {
    /// Whether everything is concerned.
    pub(crate) all: bool,
    routes: HashSet<Uuid>,
    services: HashSet<Uuid>,
    /// Routes whose entity is new or another than before.
    changed: HashSet<Uuid>,
    gone: Vec<Uuid>,
}

impl Concerned {
    /// Everything.
    pub(crate) fn everything() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// By these changes of routes and services.
    pub(crate) fn by(routes: &[Difference<'_, Route>], services: &[Difference<'_, Service>]) -> Self {
        let mut concerned = Self::default();
        for (before, now) in routes {
            match (before, now) {
                (_, Some(route)) => drop(concerned.changed.insert(route.id)),
                (Some(route), None) => concerned.gone.push(route.id),
                (None, None) => {}
            }
        }
        concerned.routes.clone_from(&concerned.changed);
        let ids = services.iter().filter_map(|(before, now)| Some(now.or(*before)?.id));
        concerned.services.extend(ids);
        concerned
    }

    /// All requests at this place are concerned, too.
    pub(crate) fn add(&mut self, scope: &Scope) {
        match (scope.route, scope.service) {
            (Some(route), _) => drop(self.routes.insert(route)),
            (None, Some(service)) => self.add_service(service),
            (None, None) => self.all = true,
        }
    }

    /// All requests to this service are concerned, too.
    pub(crate) fn add_service(&mut self, service: Uuid) {
        self.services.insert(service);
    }

    /// Whether requests of this route, to this service, are concerned.
    pub(crate) fn is_route(&self, route: Uuid, service: Option<Uuid>) -> bool {
        self.all || self.routes.contains(&route) || service.is_some_and(|id| self.services.contains(&id))
    }

    /// Whether the entity of this route is another than before.
    pub(crate) fn has_changed(&self, route: Uuid) -> bool {
        self.changed.contains(&route)
    }

    /// The routes that are no longer there.
    pub(crate) fn gone_routes(&self) -> impl Iterator<Item = Uuid> {
        self.gone.iter().copied()
    }
}
