//! From a configuration to what workers run: pure, all problems at once.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use serde_json::Value;
use tokio::runtime::Handle;
use towergate_config::{Config, entities};
use towergate_core::{Balancing, Entities, Env, Plan, Policy, Shared, UpstreamHealth};
use towergate_router::Router;
use uuid::Uuid;

use crate::{
    asked,
    base::Base,
    certificates, directory,
    order::Orders,
    overrides::Overrides,
    problem::CompileProblem,
    registry::{Built, PluginKind, Registry},
    resolve::{self, Served, Services},
    scope::Scope,
    shown::Shown,
    stages::Stages,
    table::Table,
};

/// Makes what the proxying service needs to reach a service; it is kept in the service's plans.
pub trait Destinations: Send {
    /// One for the next configuration; what the two have in common may be shared.
    fn next(&self) -> Box<dyn Destinations>;

    /// Told of each upstream, whether or not a service uses it, before any service.
    fn upstream(&mut self, _balancing: &Arc<Balancing>) {}

    /// What is needed to reach this service. Asked once per service and configuration.
    fn destination(&mut self, service: &towergate_core::Service) -> Arc<Policy>;

    /// Tells of a destination whether it can be used now.
    fn usable(&self, _destination: &Arc<Policy>) -> Arc<dyn Fn() -> bool + Send + Sync> {
        Arc::new(|| true)
    }

    /// Begins what is done beside requests, on this runtime, once the configuration these were made
    /// for is in force. It ends with them, unless the next ones go on with it.
    fn start(&mut self, _handle: &Handle) {}

    /// How well the targets of the upstream of this id are.
    fn health(&self, _upstream: Uuid) -> Option<UpstreamHealth> {
        None
    }

    /// Decides that a target of the upstream of this id is healthy or not, or only one address of it.
    /// Answers whether there is one, and its health is watched.
    fn decide(&self, _upstream: Uuid, _target: &TargetName<'_>, _healthy: bool) -> bool {
        false
    }
}

/// A target, or one address of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetName<'a> {
    /// Host name or address as configured (IPv6 without brackets).
    pub host: &'a str,
    /// Port.
    pub port: u16,
    /// The one address that is meant.
    pub address: Option<SocketAddr>,
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
    pub(crate) name: String,
    pub(crate) scope: Scope,
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
    let running = config.plugins.iter().filter(|entity| runs(entity));
    let orders = Orders::new(registry, running, &mut problems);
    let stages = Stages::new(registry, &policies, orders, &base.observers);
    let entities = Some(Arc::new(Shown(config.clone())) as Arc<dyn Entities>);
    let shared = Plan { directory, pages: base.pages.clone(), entities, ..Plan::default() };
    let resolved = Services::new(&config);
    resolved.upstreams().for_each(|balancing| destinations.upstream(balancing));
    let mut services = HashMap::new();
    let mut overrides = Overrides::new(&config, &resolved, &policies, &mut problems);
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
        plan.overrides = overrides.of(served, destinations);
        let service = served.service.map(|service| service.id);
        note(&mut problems, stages.apply(&mut plan, Some(served.route.id), service));
        Arc::new(plan)
    };
    let plans = served.iter().map(&mut plan).collect();
    let mut unrouted = shared;
    note(&mut problems, stages.apply(&mut unrouted, None, None));
    if !problems.is_empty() {
        return Err(problems);
    }
    let shown = Arc::new(certificates.by_name(&config, base.certificates.clone()));
    let table = Table { router: Arc::new(router), plans, unrouted: Arc::new(unrouted), certificates: shown, asked };
    Ok(Runtime { config, table, policies, certificates })
}

/// The same is wrong on many routes: once is enough.
fn note(problems: &mut Vec<CompileProblem>, result: Result<(), CompileProblem>) {
    if let Some(problem) = result.err().filter(|problem| !problems.contains(problem)) {
        problems.push(problem);
    }
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
    for entity in config.plugins.iter().filter(|entity| runs(entity)) {
        let Some(kind) = registry.kind(&entity.name) else { continue };
        let before = previous.and_then(|previous| previous.policies.kept.get(&entity.id));
        let carried = before.filter(|kept| kept.is_of(entity)).map(|kept| kept.built.clone());
        let carried_over = carried.is_some();
        match carried.map_or_else(|| build(kind, entity, registry.shared()), Ok) {
            Ok(built) => {
                let (name, scope, config) = (entity.name.clone(), scope(entity), entity.effective_config().clone());
                kept.insert(entity.id, Kept { name, scope, config, built, carried_over });
            }
            Err(problem) => problems.push(problem),
        }
    }
    Policies { kept }
}

/// Whether it is switched on, and for HTTP. Kong tells protocols apart by subsystem only: a plugin for
/// `https` runs on `http` too.
fn runs(entity: &entities::Plugin) -> bool {
    entity.enabled && entity.protocols.iter().any(|protocol| protocol.is_http())
}

fn build(kind: &PluginKind, entity: &entities::Plugin, shared: &Shared) -> Result<Built, CompileProblem> {
    let mut env = Env::new(entity.id);
    env.shared = shared.clone();
    env.route = entity.route;
    env.service = entity.service;
    env.consumer = entity.consumer;
    env.consumer_group = entity.consumer_group;
    kind.build(entity.effective_config().clone(), &env).map_err(|error| {
        let field = match error.field() {
            "" => "config".to_owned(),
            field => format!("config.{field}"),
        };
        CompileProblem::new("plugins", entity.id, Some(&entity.name), &field, error.message().to_owned())
    })
}

/// Where a plugin entity applies.
pub(crate) fn scope(entity: &entities::Plugin) -> Scope {
    Scope { route: entity.route, service: entity.service, consumer: entity.consumer, group: entity.consumer_group }
}
