//! The configuration in force, and the one way to change it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use towergate_config::Config;
use towergate_core::UpstreamHealth;
use uuid::Uuid;

use crate::{
    base::Base,
    compile::{Destinations, Runtime, TargetName, compile},
    loads::report_load,
    problem::CompileProblem,
    registry::Registry,
    table::Table,
    tasks::{Followed, Tasks},
    watch::{Publisher, Watched},
};

/// The configuration in force, and the one way to change it.
///
/// Workers read their tables through the watchers it hands out and never touch it.
pub struct Control {
    registry: Registry,
    state: Mutex<State>,
}

struct State {
    base: Base,
    current: Arc<Runtime>,
    destinations: Box<dyn Destinations>,
    publisher: Publisher<Table>,
    tasks: Tasks,
}

/// A configuration that is compiled and not in force.
pub struct Prepared {
    next: Runtime,
    reach: Box<dyn Destinations>,
    /// What was in force then.
    before: Arc<Runtime>,
}

impl Prepared {
    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.next.config
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("next", &self.next).finish_non_exhaustive()
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("current", &self.lock().current).finish_non_exhaustive()
    }
}

impl Control {
    /// Puts a first configuration in force for so many workers; answers their watchers, too.
    ///
    /// Background tasks of plugins run on the runtime of `handle`.
    ///
    /// # Errors
    /// All problems of the configuration.
    pub fn start(
        registry: Registry,
        base: Base,
        mut destinations: Box<dyn Destinations>,
        handle: tokio::runtime::Handle,
        config: Config,
        workers: usize,
    ) -> Result<(Self, Vec<Watched<Table>>), Vec<CompileProblem>> {
        let current = Arc::new(compile(Arc::new(config), &registry, &mut *destinations, &base, None)?);
        report_load(true);
        let (publisher, watched) = Publisher::new(current.table.for_workers(workers));
        destinations.start(&handle);
        let mut tasks = Tasks::new(handle);
        follow(&mut tasks, &current);
        let state = Mutex::new(State { base, current, destinations, publisher, tasks });
        Ok((Self { registry, state }, watched))
    }

    /// Puts another configuration in force: compiled first, then seen by every worker at its next
    /// request. What the configuration has in common with the one before keeps its state. Answers
    /// what is in force now, which another change may replace at any time.
    ///
    /// # Errors
    /// All problems of the configuration; the one before stays in force then.
    pub fn apply(&self, config: Config) -> Result<Arc<Runtime>, Vec<CompileProblem>> {
        self.put(&mut self.lock(), Arc::new(config))
    }

    /// Changes what is around the configuration: certificates for clients that no other certificate is for, the form of
    /// the gateway's own answers. The configuration stays the same; its destinations are made again, with what is new
    /// around them.
    ///
    /// # Errors
    /// All problems of what is new around the configuration; everything stays as it was then.
    pub fn renew(&self, change: impl FnOnce(&mut Base)) -> Result<(), Vec<CompileProblem>> {
        let mut state = self.lock();
        let before = state.base.clone();
        change(&mut state.base);
        let config = state.current.config.clone();
        let put = self.put(&mut state, config).map(drop);
        if put.is_err() {
            state.base = before;
        }
        put
    }

    /// Compiles a configuration without putting it into force: whatever else has to be done before,
    /// such as keeping it, can be.
    ///
    /// # Errors
    /// All problems of the configuration.
    pub fn prepare(&self, config: Config) -> Result<Prepared, Vec<CompileProblem>> {
        self.compiled(&self.lock(), Arc::new(config))
    }

    /// Puts what was prepared into force. It is compiled once more if something else was put into
    /// force since, so that state is carried over from what is.
    ///
    /// # Errors
    /// All problems of the configuration, which only what has changed around it can be the cause of.
    pub fn publish(&self, prepared: Prepared) -> Result<Arc<Runtime>, Vec<CompileProblem>> {
        let mut state = self.lock();
        let prepared = match Arc::ptr_eq(&prepared.before, &state.current) {
            true => prepared,
            false => self.compiled(&state, prepared.next.config)?,
        };
        Ok(put(&mut state, prepared))
    }

    fn put(&self, state: &mut State, config: Arc<Config>) -> Result<Arc<Runtime>, Vec<CompileProblem>> {
        let prepared = self.compiled(state, config)?;
        Ok(put(state, prepared))
    }

    fn compiled(&self, state: &State, config: Arc<Config>) -> Result<Prepared, Vec<CompileProblem>> {
        let mut reach = state.destinations.next();
        let next = compile(config, &self.registry, &mut *reach, &state.base, Some(&state.current))?;
        Ok(Prepared { next, reach, before: state.current.clone() })
    }

    /// Drops what no worker uses any more of earlier configurations; answers how many tables wait still.
    pub fn sweep(&self) -> usize {
        self.lock().publisher.sweep()
    }

    /// The configuration in force.
    pub fn current(&self) -> Arc<Runtime> {
        self.lock().current.clone()
    }

    /// How well the targets of the upstream of this id are; `None` if no configuration in force has it.
    pub fn health(&self, upstream: Uuid) -> Option<UpstreamHealth> {
        self.lock().destinations.health(upstream)
    }

    /// Decides that a target is healthy or not until something else is noticed. Answers whether there
    /// is one, and its health is watched.
    pub fn decide_health(&self, upstream: Uuid, target: &TargetName<'_>, healthy: bool) -> bool {
        self.lock().destinations.decide(upstream, target, healthy)
    }

    /// What configuration may name.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn put(state: &mut State, prepared: Prepared) -> Arc<Runtime> {
    let Prepared { next, mut reach, .. } = prepared;
    let State { current, destinations, publisher, tasks, .. } = state;
    let next = Arc::new(next);
    publisher.publish(next.table.for_workers(publisher.watchers()).collect::<Vec<_>>());
    reach.start(tasks.handle());
    // What the ones before did beside requests, and these do not go on with, ends here.
    *destinations = reach;
    follow(tasks, &next);
    *current = next.clone();
    publisher.sweep();
    next
}

fn follow(tasks: &mut Tasks, runtime: &Runtime) {
    let policies = runtime.policies.iter();
    tasks.follow(policies.map(|(id, kept)| Followed {
        id,
        carried_over: kept.carried_over,
        start: &*kept.built.background,
    }));
}
