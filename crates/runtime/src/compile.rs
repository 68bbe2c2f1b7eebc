//! From a configuration to what workers run: pure, all problems at once, and only what is others than before.

use std::{fmt, net::SocketAddr, sync::Arc};

use serde_json::Value;
use tokio::runtime::Handle;
use towergate_config::{Config, Kind};
use towergate_core::{Balancing, Directory, Entities, Generation, Policy, UpstreamHealth};
use towergate_tls::{Asked, Certificates};
use uuid::Uuid;

use crate::{
    asked,
    base::Base,
    certificates, directory,
    order::Orders,
    plans::{Making, Reached},
    policies::{Policies, Touched, runs},
    problem::CompileProblem,
    registry::Registry,
    resolve::Services,
    routed::Routed,
    shown::Shown,
    stages::Stages,
    table::Table,
};

/// Makes what the proxying service needs to reach a service; it is kept in the service's plans.
pub trait Destinations: Send {
    /// One for the next configuration; what the two have in common may be shared.
    fn next(&self) -> Box<dyn Destinations>;

    /// Goes on with all that was made for services before, so that only those that have changed are asked for. Answers
    /// whether that can be: if not, all are asked for.
    fn carry_over(&mut self) -> bool {
        false
    }

    /// Lets go of what was carried over for a service that is no longer there.
    fn forget(&mut self, _service: Uuid) {}

    /// Told of each upstream, whether or not a service uses it, before any service.
    fn upstream(&mut self, _balancing: &Arc<Balancing>) {}

    /// What is needed to reach this service. Asked once per service and configuration, and not for those that did not change
    /// if what was made before is carried over.
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
pub struct Runtime {
    /// The configuration as written.
    pub config: Arc<Config>,
    /// What the workers' tables are copies of.
    pub table: Table,
    pub(crate) policies: Arc<Policies>,
    pub(crate) certificates: Arc<certificates::Read>,
    pub(crate) routed: Routed,
    stages: Arc<Stages>,
    services: Arc<Services>,
    pub(crate) reached: Reached,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("table", &self.table).finish_non_exhaustive()
    }
}

impl Runtime {
    /// What operators may see of the state of this plugin's policy; `None` if it has none, or is not
    /// in force.
    pub fn plugin_state(&self, id: Uuid) -> Option<Value> {
        (self.policies.get(id)?.built.state)()
    }
}

/// Compiles a configuration.
///
/// Nothing is started and nothing running is touched. What is the same as in `previous` is taken from there: policies whose
/// plugin entity says the same, with their state; and plans, if all that concerns them is the same. What comes out is what
/// would without `previous`, but for that state.
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
    let compiling = Compiling { config: &config, registry, base, previous };
    let mut problems = Vec::new();
    let (policies, touched) = compiling.policies(&mut problems);
    let is_elsewhere = touched.iter().any(|touched| touched.sends_elsewhere);
    // The ways that plugins may take are known by what they are made of: it is not known which of them are gone. And each
    // plan knows the pages of the gateway's own answers.
    let has_its_pages = |previous: &&Runtime| previous.table.unrouted.pages == base.pages;
    let plans = previous.filter(has_its_pages).filter(|_| !is_elsewhere && destinations.carry_over());
    let known = plans.map(|plans| (&plans.services, &*plans.config));
    let (services, renewed) = Services::after(known, &config);
    let mut making = Making::new(&config, plans, destinations, &services, &renewed);
    making.touch(&policies, &touched, !renewed.is_empty());
    let mut routed = plans.map(|plans| plans.routed.clone()).unwrap_or_default();
    let moved = routed.follow(&config, compiling.before(), &making.concerned);
    routed.route_by(&config, &moved, &mut problems);
    let certificates = compiling.certificates(&mut problems);
    let directory = compiling.directory(&mut problems);
    let asked = compiling.asked(&mut problems);
    let (Some(router), true) = (routed.router.clone(), problems.is_empty()) else { return Err(problems) };
    let stages = compiling.stages(&policies, &touched, &mut problems);
    let made = making.plans(&stages, &policies, &base.pages, &routed, &moved, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let entities = Some(Arc::new(Shown(config.clone())) as Arc<dyn Entities>);
    let generation = Generation { directory, secrets: stages.secrets().clone(), entities };
    let table = Table {
        router,
        plans: made.plans,
        unrouted: made.unrouted,
        generation: Arc::new(generation),
        certificates: compiling.shown(&certificates),
        asked,
    };
    let reached = made.reached;
    Ok(Runtime { config, table, policies, certificates, routed, stages, services, reached })
}

/// What one configuration is compiled with.
struct Compiling<'a> {
    config: &'a Config,
    registry: &'a Registry,
    base: &'a Base,
    previous: Option<&'a Runtime>,
}

impl Compiling<'_> {
    fn before(&self) -> &Config {
        static NOTHING: std::sync::LazyLock<Config> = std::sync::LazyLock::new(Config::empty);
        self.previous.map_or(&NOTHING, |previous| &previous.config)
    }

    /// What was made before, if the lists of these kinds are the same.
    fn same(&self, kinds: &[Kind]) -> Option<&Runtime> {
        let is_same = |previous: &&Runtime| kinds.iter().all(|kind| self.config.is_same(*kind, &previous.config));
        self.previous.filter(is_same)
    }

    fn policies(&self, problems: &mut Vec<CompileProblem>) -> (Arc<Policies>, Vec<Touched>) {
        let differences = self.config.plugins.differences(&self.before().plugins);
        let before = self.previous.map(|previous| &previous.policies);
        Policies::after(before, &differences, self.registry, problems)
    }

    fn certificates(&self, problems: &mut Vec<CompileProblem>) -> Arc<certificates::Read> {
        match self.same(&[Kind::Certificates]) {
            Some(previous) => previous.certificates.clone(),
            None => Arc::new(certificates::Read::all(self.config, self.previous, problems)),
        }
    }

    /// Which certificates are shown for which names.
    fn shown(&self, certificates: &certificates::Read) -> Arc<Certificates> {
        let default = &self.base.certificates;
        let same = self.same(&[Kind::Certificates, Kind::Snis]).map(|previous| &previous.table.certificates);
        let same = same.filter(|known| known.find(None).is_same(default)).cloned();
        same.unwrap_or_else(|| Arc::new(certificates.by_name(self.config, default.clone())))
    }

    fn directory(&self, problems: &mut Vec<CompileProblem>) -> Arc<Directory> {
        let same = self.same(directory::KINDS).filter(|known| known.config.transform == self.config.transform);
        match same {
            Some(previous) => previous.table.generation.directory.clone(),
            None => Arc::new(directory::build(self.config, self.registry, problems)),
        }
    }

    fn asked(&self, problems: &mut Vec<CompileProblem>) -> Asked {
        match self.same(&[Kind::Plugins, Kind::Routes, Kind::CaCertificates]) {
            Some(previous) => previous.table.asked.clone(),
            None => asked::asked(self.config, self.registry, problems),
        }
    }

    fn stages(&self, policies: &Policies, touched: &[Touched], problems: &mut Vec<CompileProblem>) -> Arc<Stages> {
        if let (Some(previous), []) = (self.previous, touched) {
            return previous.stages.clone();
        }
        let running = self.config.plugins.iter().filter(|entity| runs(entity));
        let orders = Orders::new(self.registry, running, problems);
        let before = self.previous.map(|previous| (&*previous.stages, touched));
        Arc::new(Stages::new(self.registry, policies, orders, &self.base.observers, before))
    }
}
