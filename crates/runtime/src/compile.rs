//! From a configuration to what workers run: pure, all problems at once.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;
use towergate_config::{Config, entities};
use towergate_core::{Env, Guard, Plan, Policy};
use towergate_router::Router;
use uuid::Uuid;

use crate::{
    asked,
    base::Base,
    certificates, directory,
    problem::CompileProblem,
    registry::{Band, Built, BuiltPolicy, PluginKind, Registry},
    resolve::{self, Served, Services},
    scope::{Scope, Scopes},
    table::Table,
};

/// Makes what the proxying service needs to reach a service; it is kept in the service's plans.
pub trait Destinations: Send {
    /// One for the next configuration; what the two have in common may be shared.
    fn next(&self) -> Box<dyn Destinations>;

    /// What is needed to reach this service. Asked once per service and configuration.
    fn destination(&mut self, service: &towergate_core::Service) -> Arc<Policy>;
}

/// A configuration, compiled: what runs, or ran, or may run next.
#[derive(Debug)]
pub struct Runtime {
    /// The configuration as written.
    pub config: Arc<Config>,
    /// What the workers' tables are copies of.
    pub table: Table,
    pub(crate) policies: Policies,
    pub(crate) certificates: certificates::Read,
}

/// The policies of one configuration by the id of their plugin entity.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    kept: HashMap<Uuid, Kept>,
}

pub(crate) struct Kept {
    name: String,
    scope: Scope,
    config: Value,
    pub(crate) built: Built,
    pub(crate) carried_over: bool,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("name", &self.name).field("carried_over", &self.carried_over).finish()
    }
}

impl Kept {
    /// Whether a policy for this entity would be the same. When it was created does not matter.
    fn is_of(&self, entity: &entities::Plugin) -> bool {
        self.name == entity.name && self.scope == scope(entity) && self.config == *entity.effective_config()
    }
}

impl Runtime {
    /// What operators may see of the state of this plugin's policy; `None` if it has none, or is not
    /// in force.
    pub fn plugin_state(&self, id: Uuid) -> Option<Value> {
        (self.policies.kept.get(&id)?.built.state)()
    }
}

impl Policies {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Uuid, &Kept)> {
        self.kept.iter().map(|(id, kept)| (*id, kept))
    }
}

/// Compiles a configuration.
///
/// Nothing is started and nothing running is touched. Policies of `previous` whose plugin entity
/// is unchanged are carried over, with their state.
///
/// # Errors
/// Every problem that only shows when policies and routes are made.
pub fn compile(
    config: Arc<Config>,
    registry: &Registry,
    destinations: &mut dyn Destinations,
    base: &Base,
    previous: Option<&Runtime>,
) -> Result<Runtime, Vec<CompileProblem>> {
    let mut problems = Vec::new();
    let policies = policies(&config, registry, previous, &mut problems);
    let served = resolve::served(&config);
    let router = router(&served, &mut problems);
    let certificates = certificates::Read::all(&config, previous, &mut problems);
    let directory = Arc::new(directory::build(&config, registry, &mut problems));
    let asked = asked::asked(&config, registry, &mut problems);
    let (Some(router), true) = (router, problems.is_empty()) else { return Err(problems) };
    let stages = Stages::new(registry, &policies);
    let shared = Plan { directory, pages: base.pages.clone(), ..Plan::default() };
    let resolved = Services::new(&config);
    let mut services = HashMap::new();
    let mut plan = |served: &Served<'_>| {
        let mut plan = Plan { route: Some(Arc::new(resolve::route(served.route))), ..shared.clone() };
        if let Some(service) = served.service {
            let (service, destination) = services.entry(service.id).or_insert_with(|| {
                let service = Arc::new(resolved.service(service));
                let destination = destinations.destination(&service);
                (service, destination)
            });
            (plan.service, plan.destination) = (Some(service.clone()), Some(destination.clone()));
        }
        stages.apply(&mut plan, Some(served.route.id), served.service.map(|service| service.id));
        Arc::new(plan)
    };
    let plans = served.iter().map(&mut plan).collect();
    let mut unrouted = shared;
    stages.apply(&mut unrouted, None, None);
    let shown = Arc::new(certificates.by_name(&config, base.certificates.clone()));
    let table = Table { router: Arc::new(router), plans, unrouted: Arc::new(unrouted), certificates: shown, asked };
    Ok(Runtime { config, table, policies, certificates })
}

fn router(served: &[Served<'_>], problems: &mut Vec<CompileProblem>) -> Option<Router> {
    match Router::new(served.iter().map(|served| resolve::rule(served.route)).collect()) {
        Ok(router) => Some(router),
        Err(errors) => {
            problems.extend(errors.into_iter().filter_map(|error| {
                let route = served.get(error.rule)?.route;
                Some(CompileProblem::new("routes", route.id, route.name.as_deref(), &error.field, error.message))
            }));
            None
        }
    }
}

/// The policies of all plugins that are switched on.
fn policies(
    config: &Config,
    registry: &Registry,
    previous: Option<&Runtime>,
    problems: &mut Vec<CompileProblem>,
) -> Policies {
    let mut kept = HashMap::new();
    for entity in config.plugins.iter().filter(|entity| entity.enabled && serves_http(entity)) {
        let Some(kind) = registry.kind(&entity.name) else { continue };
        let before = previous.and_then(|previous| previous.policies.kept.get(&entity.id));
        let carried = before.filter(|kept| kept.is_of(entity)).map(|kept| kept.built.clone());
        let carried_over = carried.is_some();
        match carried.map_or_else(|| build(kind, entity), Ok) {
            Ok(built) => {
                let (name, scope, config) = (entity.name.clone(), scope(entity), entity.effective_config().clone());
                kept.insert(entity.id, Kept { name, scope, config, built, carried_over });
            }
            Err(problem) => problems.push(problem),
        }
    }
    Policies { kept }
}

/// Kong tells protocols apart by subsystem only: a plugin for `https` runs on `http` too.
fn serves_http(entity: &entities::Plugin) -> bool {
    entity.protocols.iter().any(|protocol| protocol.is_http())
}

fn build(kind: &PluginKind, entity: &entities::Plugin) -> Result<Built, CompileProblem> {
    let mut env = Env::new(entity.id);
    env.route = entity.route;
    env.service = entity.service;
    env.consumer = entity.consumer;
    kind.build(entity.effective_config().clone(), &env).map_err(|error| {
        let field = match error.field() {
            "" => "config".to_owned(),
            field => format!("config.{field}"),
        };
        CompileProblem::new("plugins", entity.id, Some(&entity.name), &field, error.message().to_owned())
    })
}

/// The configurations of each plugin of the registry, by band, ready to be chosen from.
struct Stages {
    guards: Vec<Scopes<dyn Guard>>,
    wraps: Vec<Scopes<Policy>>,
}

impl Stages {
    fn new(registry: &Registry, policies: &Policies) -> Self {
        let mut stages = Self { guards: Vec::new(), wraps: Vec::new() };
        for kind in registry.kinds() {
            let of_kind = policies.kept.values().filter(|kept| kept.name == kind.name);
            if kind.band == Band::Guard {
                let guards = of_kind.filter_map(|kept| match &kept.built.policy {
                    BuiltPolicy::Guard(guard) => Some((kept.scope, guard.clone())),
                    BuiltPolicy::Wrap(_) => None,
                });
                stages.guards.push(Scopes::new(kind.name, guards));
            } else {
                let wraps = of_kind.filter_map(|kept| match &kept.built.policy {
                    BuiltPolicy::Wrap(policy) => Some((kept.scope, policy.clone())),
                    BuiltPolicy::Guard(_) => None,
                });
                stages.wraps.push(Scopes::new(kind.name, wraps));
            }
        }
        stages
    }

    fn apply(&self, plan: &mut Plan, route: Option<Uuid>, service: Option<Uuid>) {
        plan.guards = self.guards.iter().filter_map(|scopes| scopes.choice(route, service)).collect();
        plan.wraps = self.wraps.iter().map(|scopes| scopes.choice(route, service)).collect();
    }
}

fn scope(entity: &entities::Plugin) -> Scope {
    Scope { route: entity.route, service: entity.service, consumer: entity.consumer, group: entity.consumer_group }
}
