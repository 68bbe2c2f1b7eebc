//! Where plugins may send requests instead of to their route's service.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use towergate_config::{Config, entities};
use towergate_core::{Matched, OtherPath, OtherWay, Policy, Service, ServiceOverride};
use towergate_router::path;
use uuid::Uuid;

use crate::{
    compile::Destinations,
    policies::Policies,
    problem::CompileProblem,
    resolve::{Served, Services},
};

/// The ways that the plugins of a configuration may take, made once for all plans.
pub(crate) struct Overrides<'a> {
    services: HashMap<String, &'a entities::Service>,
    resolved: &'a Services,
    /// By where the plugins that want them apply.
    wanted: HashMap<Place, Vec<Arc<[ServiceOverride]>>>,
    made: HashMap<(Option<Uuid>, ServiceOverride), Made>,
}

/// A route, a service, both, or everywhere.
type Place = (Option<Uuid>, Option<Uuid>);

/// A service in the place of another, and the way there.
type Made = (Arc<Service>, Arc<Policy>);

impl<'a> Overrides<'a> {
    /// Of these policies. A service that is not there is a problem of the plugin that names it; an
    /// upstream that is not there may come later, and until then there is no way to it.
    pub(crate) fn new(
        config: &'a Config,
        resolved: &'a Services,
        policies: &Policies,
        problems: &mut Vec<CompileProblem>,
    ) -> Self {
        let mut wanted: HashMap<Place, Vec<_>> = HashMap::new();
        let elsewhere: Vec<_> = policies.iter().filter(|(_, kept)| kept.sends_elsewhere()).collect();
        let services = if elsewhere.is_empty() { HashMap::new() } else { named(config) };
        for (id, kept) in elsewhere {
            for to in kept.built.overrides.iter() {
                if let ServiceOverride::Service(name) = to
                    && !services.contains_key(name)
                {
                    let message = format!("no service has the name or id '{name}'");
                    problems.push(CompileProblem::new("plugins", id, Some(&kept.name), "config", message));
                }
            }
            let place = (kept.scope.route, kept.scope.service);
            wanted.entry(place).or_default().push(kept.built.overrides.clone());
        }
        Self { services, resolved, wanted, made: HashMap::new() }
    }

    /// The ways for requests of this route: those of all plugins that may run there.
    pub(crate) fn of(&mut self, served: &Served<'_>, destinations: &mut dyn Destinations) -> Vec<OtherWay> {
        if self.wanted.is_empty() {
            return Vec::new();
        }
        let (route, service) = (Some(served.route.id), served.service.map(|service| service.id));
        let places = HashSet::from([(route, service), (route, None), (None, service), (None, None)]);
        let here = places.iter().filter_map(|place| self.wanted.get(place)).flatten();
        let wanted: HashSet<ServiceOverride> = here.flat_map(|overrides| overrides.iter().cloned()).collect();
        wanted.into_iter().filter_map(|to| self.way(to, served, destinations)).collect()
    }

    fn way(
        &mut self,
        to: ServiceOverride,
        served: &Served<'_>,
        destinations: &mut dyn Destinations,
    ) -> Option<OtherWay> {
        // Another service is the same for all; another host is that of the route's service.
        let base = match to {
            ServiceOverride::Service(_) => None,
            ServiceOverride::Host { .. } | ServiceOverride::Upstream(_) => Some(served.service?.id),
        };
        let key = (base, to.clone());
        let (service, destination) = match self.made.get(&key) {
            Some(made) => made.clone(),
            None => {
                let service = Arc::new(self.service(&to, served)?);
                let destination = destinations.destination(&service);
                self.made.entry(key).or_insert((service, destination)).clone()
            }
        };
        let path = matches!(to, ServiceOverride::Service(_)).then(|| path_to(&service, served));
        Some(OtherWay { is_usable: destinations.usable(&destination), to, service, destination, path })
    }

    fn service(&self, to: &ServiceOverride, served: &Served<'_>) -> Option<Service> {
        match to {
            ServiceOverride::Host { host, port } => {
                Some(self.resolved.elsewhere(served.service?, host.as_deref(), *port))
            }
            ServiceOverride::Upstream(name) if self.resolved.has_upstream(name) => {
                Some(self.resolved.elsewhere(served.service?, Some(name), None))
            }
            ServiceOverride::Upstream(_) => None,
            ServiceOverride::Service(name) => Some(self.resolved.service(self.services.get(name)?)),
        }
    }
}

/// Services by what plugins may call them: their id, or better their name.
fn named(config: &Config) -> HashMap<String, &entities::Service> {
    let by_id = config.services.iter().map(|service| (service.id.to_string(), service));
    let by_name = config.services.iter().filter_map(|service| Some((service.name.clone()?, service)));
    by_id.chain(by_name).collect()
}

/// The path to ask another service for: that service's own in front, as on a route of its own.
fn path_to(service: &Service, served: &Served<'_>) -> Arc<OtherPath> {
    // A gRPC method's name is no path that could be moved.
    let is_moved = !service.protocol.is_grpc();
    let (base, strip) = (service.path.clone().filter(|_| is_moved), is_moved && served.route.strip_path);
    Arc::new(move |matched: &Matched| {
        let path = path::upstream(base.as_deref(), &matched.path, matched.prefix, strip);
        path::escape(&path).into_owned()
    })
}
