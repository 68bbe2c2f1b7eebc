//! Plans: made for the routes that a change concerns, and taken from before for all others.

use std::{collections::HashMap, sync::Arc};

use towergate_config::Config;
use towergate_core::{Pages, Plan, Plugins, Policy, Service};
use uuid::Uuid;

use crate::{
    alike::Alike,
    compile::{Destinations, Runtime},
    concerned::Concerned,
    overrides::Overrides,
    policies::{Policies, Touched},
    problem::CompileProblem,
    resolve::{self, Renewed, Served, Services},
    routed::{Moved, Routed},
    stages::Stages,
};

/// The services that routes lead to, each with the way there, by id.
pub(crate) type Reached = Arc<HashMap<Uuid, (Arc<Service>, Arc<Policy>)>>;

/// Plans in the making.
pub(crate) struct Making<'a> {
    config: &'a Config,
    previous: Option<&'a Runtime>,
    destinations: &'a mut dyn Destinations,
    services: &'a Services,
    reached: Reached,
    /// Whose plans are made anew.
    pub(crate) concerned: Concerned,
}

/// Plans, ready.
pub(crate) struct Plans {
    /// By the number of their route.
    pub(crate) plans: Vec<Arc<Plan>>,
    pub(crate) unrouted: Arc<Plan>,
    pub(crate) reached: Reached,
}

impl<'a> Making<'a> {
    /// For this configuration, which follows on `previous`; without, all plans are made.
    pub(crate) fn new(
        config: &'a Config,
        previous: Option<&'a Runtime>,
        destinations: &'a mut dyn Destinations,
        services: &'a Services,
        renewed: &Renewed,
    ) -> Self {
        services.upstreams().for_each(|balancing| destinations.upstream(balancing));
        let Some(before) = previous else {
            let (reached, concerned) = (Reached::default(), Concerned::everything());
            return Self { config, previous, destinations, services, reached, concerned };
        };
        let changed = config.services.differences(&before.config.services);
        let routes = config.routes.differences(&before.config.routes);
        let mut concerned = Concerned::by(&routes, &changed);
        let mut reached = before.reached.clone();
        let mut leave = |service: Uuid| {
            if reached.contains_key(&service) {
                Arc::make_mut(&mut reached).remove(&service);
            }
        };
        for (before, now) in &changed {
            let Some(id) = now.or(*before).map(|service| service.id) else { continue };
            leave(id);
            if now.is_none() {
                destinations.forget(id);
            }
        }
        if !renewed.is_empty() {
            for service in config.services.iter().filter(|service| renewed.concerns(service)) {
                leave(service.id);
                concerned.add_service(service.id);
            }
        }
        Self { config, previous, destinations, services, reached, concerned }
    }

    /// Tells where other policies apply than before.
    pub(crate) fn touch(&mut self, policies: &Policies, touched: &[Touched], is_renewed: bool) {
        touched.iter().for_each(|touched| self.concerned.add(&touched.scope));
        let Some(previous) = self.previous else { return };
        // A way elsewhere leads to a service by its name, or to an upstream.
        if is_renewed || !self.config.services.is_same(&previous.config.services) {
            let elsewhere = policies.iter().filter(|(_, kept)| kept.sends_elsewhere());
            elsewhere.for_each(|(_, kept)| self.concerned.add(&kept.scope));
        }
    }

    /// Makes the plans of routes that are concerned, and takes the others from before.
    pub(crate) fn plans(
        self,
        stages: &Stages,
        policies: &Policies,
        pages: &Arc<Pages>,
        routed: &Routed,
        moved: &Moved<'_>,
        problems: &mut Vec<CompileProblem>,
    ) -> Plans {
        let Self { config, previous, destinations, services, mut reached, concerned } = self;
        let mut alike = Alike::default();
        let mut overrides = Overrides::new(config, services, policies, problems);
        let unrouted = match previous.filter(|_| !concerned.all) {
            Some(previous) => previous.table.unrouted.clone(),
            None => {
                let plugins = noted(problems, stages.plugins(None, None, Vec::new()));
                Arc::new(Plan { pages: pages.clone(), ..plugins.into() })
            }
        };
        alike.know(&unrouted.plugins);
        let mut plan = |number: usize, served: &Served<'_>| {
            let (service, destination) =
                served.service.map(|service| reach(&mut reached, service, services, destinations)).unzip();
            let ways = overrides.of(served, destinations);
            let plugins = stages.plugins(Some(served.route.id), served.service.map(|service| service.id), ways);
            if let Some(before) = previous.and_then(|previous| previous.table.plans.get(number)) {
                alike.know(&before.plugins);
            }
            let plugins = alike.share(noted(problems, plugins));
            let route = Some(resolve::route(served.route));
            Arc::new(Plan { service, destination, route, pages: pages.clone(), ..plugins.into() })
        };
        let mut plans = previous.map(|previous| previous.table.plans.clone()).unwrap_or_default();
        let vacant = Arc::default();
        plans.resize(routed.len(), Arc::clone(&vacant));
        let made = moved.served.iter().map(|(number, served)| (*number, plan(*number, served)));
        for (number, plan) in made.chain(moved.vacated.iter().map(|number| (*number, vacant.clone()))) {
            if let Some(place) = plans.get_mut(number) {
                *place = plan;
            }
        }
        Plans { plans, unrouted, reached }
    }
}

/// The service that requests meet, and the way there.
fn reach(
    reached: &mut Reached,
    entity: &towergate_config::entities::Service,
    services: &Services,
    destinations: &mut dyn Destinations,
) -> (Arc<Service>, Arc<Policy>) {
    if let Some(known) = reached.get(&entity.id) {
        return known.clone();
    }
    let service = Arc::new(services.service(entity));
    let destination = destinations.destination(&service);
    Arc::make_mut(reached).insert(entity.id, (service.clone(), destination.clone()));
    (service, destination)
}

/// What came out, or nothing and its problem. The same is wrong on many routes: once is enough.
fn noted(problems: &mut Vec<CompileProblem>, plugins: Result<Plugins, CompileProblem>) -> Plugins {
    plugins.unwrap_or_else(|problem| {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
        Plugins::default()
    })
}
