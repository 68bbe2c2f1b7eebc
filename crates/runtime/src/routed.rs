//! Which routes requests are sent to, by the numbers that the router knows them by.

use std::{collections::HashMap, sync::Arc};

use towergate_config::{Config, entities::Route};
use towergate_router::{Router, RuleError};
use uuid::Uuid;

use crate::{
    concerned::Concerned,
    problem::CompileProblem,
    resolve::{self, Served},
};

/// The routes that take requests. A route keeps its number for as long as it takes any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routed {
    /// By number; none where a route was before.
    routes: Vec<Option<Uuid>>,
    pub(crate) router: Option<Arc<Router>>,
}

/// What has become of the routes that a change concerns.
#[derive(Debug, Default)]
pub(crate) struct Moved<'a> {
    /// Those that take requests, by number.
    pub(crate) served: Vec<(usize, Served<'a>)>,
    /// Numbers that are free now.
    pub(crate) vacated: Vec<usize>,
    rules: Vec<(usize, Option<&'a Route>)>,
}

impl Routed {
    /// How many numbers there are, those that are free included.
    pub(crate) fn len(&self) -> usize {
        self.routes.len()
    }

    /// The route of a number.
    pub(crate) fn route(&self, number: usize) -> Option<Uuid> {
        self.routes.get(number).copied().flatten()
    }

    /// Gives numbers to routes of `config` that begin to take requests, and takes back those of routes that no longer do;
    /// looks only at routes that are concerned.
    pub(crate) fn follow<'a>(&mut self, config: &'a Config, before: &Config, concerned: &Concerned) -> Moved<'a> {
        let routes: Vec<_> = config.routes.iter().filter(|route| concerned.is_route(route.id, route.service)).collect();
        let services = services(config, &routes);
        let numbers = self.numbers(concerned, &routes);
        let mut free = self.routes.iter().enumerate().filter(|(_, route)| route.is_none()).map(|(number, _)| number);
        let mut free: Vec<_> = free.by_ref().collect();
        free.reverse();
        let mut moved = Moved::default();
        let mut new = Vec::new();
        for route in &routes {
            let service = route.service.and_then(|id| services.get(&id).copied());
            match (numbers.get(&route.id).copied(), Served::of(route, service)) {
                (Some(number), Some(served)) => {
                    moved.served.push((number, served));
                    let known = before.routes.by_id(route.id).filter(|_| concerned.has_changed(route.id));
                    if known.is_some_and(|known| resolve::rule(known) != resolve::rule(route)) {
                        moved.rules.push((number, Some(route)));
                    }
                }
                (Some(number), None) => moved.vacated.push(number),
                (None, Some(served)) => new.push(served),
                (None, None) => {}
            }
        }
        let gone = concerned.gone_routes().filter_map(|id| numbers.get(&id).copied());
        moved.vacated.extend(gone);
        for number in &moved.vacated {
            if let Some(route) = self.routes.get_mut(*number) {
                *route = None;
            }
            moved.rules.push((*number, None));
            free.push(*number);
        }
        for served in new {
            let number = free.pop().unwrap_or(self.routes.len());
            match self.routes.get_mut(number) {
                Some(route) => *route = Some(served.route.id),
                None => self.routes.push(Some(served.route.id)),
            }
            moved.vacated.retain(|vacated| *vacated != number);
            moved.rules.retain(|(known, _)| *known != number);
            moved.rules.push((number, Some(served.route)));
            moved.served.push((number, served));
        }
        moved
    }

    /// The numbers of these routes and of those that are gone.
    fn numbers(&self, concerned: &Concerned, routes: &[&Route]) -> HashMap<Uuid, usize> {
        let mut wanted: HashMap<Uuid, Option<usize>> = routes.iter().map(|route| (route.id, None)).collect();
        wanted.extend(concerned.gone_routes().map(|id| (id, None)));
        for (number, route) in self.routes.iter().enumerate() {
            if let Some(found) = route.as_ref().and_then(|route| wanted.get_mut(route)) {
                *found = Some(number);
            }
        }
        wanted.into_iter().filter_map(|(id, number)| Some((id, number?))).collect()
    }

    /// Makes the router that follows on the one before.
    pub(crate) fn route_by(&mut self, config: &Config, moved: &Moved<'_>, problems: &mut Vec<CompileProblem>) {
        match self.next_router(config, moved) {
            Ok(router) => self.router = Some(router),
            Err(errors) => problems.extend(errors.into_iter().filter_map(|error| {
                let route = config.routes.by_id(self.route(error.rule)?)?;
                Some(CompileProblem::new("routes", route.id, route.name.as_deref(), &error.field, error.message))
            })),
        }
    }

    fn next_router(&self, config: &Config, moved: &Moved<'_>) -> Result<Arc<Router>, Vec<RuleError>> {
        if let Some(router) = &self.router {
            if moved.rules.is_empty() {
                return Ok(router.clone());
            }
            let rules = moved.rules.iter().map(|(number, route)| (*number, route.map(resolve::rule)));
            if let Some(router) = router.changed(rules)? {
                return Ok(Arc::new(router));
            }
        }
        let numbers: HashMap<_, _> =
            self.routes.iter().enumerate().filter_map(|(number, id)| Some(((*id)?, number))).collect();
        let number = |route: &Route| Some((*numbers.get(&route.id)?, resolve::rule(route)));
        Router::numbered(config.routes.iter().filter_map(number)).map(Arc::new)
    }
}

/// So few routes look for their services one by one.
const FEW: usize = 8;

/// The services of these routes, by id.
fn services<'a>(config: &'a Config, routes: &[&Route]) -> HashMap<Uuid, &'a towergate_config::entities::Service> {
    if routes.len() > FEW {
        return config.services.iter().map(|service| (service.id, service)).collect();
    }
    let ids = routes.iter().filter_map(|route| route.service);
    ids.filter_map(|id| Some((id, config.services.by_id(id)?))).collect()
}
