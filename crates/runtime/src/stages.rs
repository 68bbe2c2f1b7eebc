//! Which configurations of which plugins apply on a route, and in which order.

use std::sync::Arc;

use towergate_core::{Bands, Guard, Memos, Observe, Plan, Policy, Secrets};
use uuid::Uuid;

use crate::{
    compile::Policies,
    order::Orders,
    problem::CompileProblem,
    registry::{Band, BuiltPolicy, Registry},
    scope::{Scope, Scopes},
};

/// The configurations of each plugin of the registry, by band, ready to be chosen from.
pub(crate) struct Stages {
    guards: Vec<Scopes<dyn Guard>>,
    wraps: Vec<(Band, Scopes<Policy>)>,
    observers: Vec<Scopes<dyn Observe>>,
    /// Where clients send what proves who they are: on a wrong route a key is a key, too.
    secrets: Arc<Secrets>,
    orders: Orders,
    /// The names of the plugins that may ask when the parts of a request's way ran.
    recorders: Vec<&'static str>,
}

impl Stages {
    pub(crate) fn new(
        registry: &Registry,
        policies: &Policies,
        orders: Orders,
        base: &[(&'static str, Arc<dyn Observe>)],
    ) -> Self {
        let (guards, wraps) = (Vec::new(), Vec::new());
        let everywhere = |(name, observer): &(&'static str, Arc<dyn Observe>)| {
            Scopes::new(name, [(Scope::default(), observer.clone())])
        };
        let observers = base.iter().map(everywhere).collect();
        let secrets = Arc::new(secrets(policies));
        let mut stages = Self { guards, wraps, observers, secrets, orders, recorders: Vec::new() };
        stages.recorders = registry.kinds().iter().filter(|kind| kind.records_spans).map(|kind| kind.name).collect();
        for kind in registry.kinds() {
            let of_kind = policies.iter().map(|(_, kept)| kept).filter(|kept| kept.name == kind.name);
            let built: Vec<_> = of_kind.map(|kept| (kept.scope, kept.built.policy.clone())).collect();
            match kind.band {
                Band::Guard => stages.guards.push(Scopes::new(kind.name, built.into_iter().filter_map(guard))),
                Band::Log => stages.observers.push(Scopes::new(kind.name, built.into_iter().filter_map(observer))),
                Band::Outer | Band::Inner => {
                    let scopes = Scopes::new(kind.name, built.into_iter().filter_map(wrap));
                    stages.wraps.push((kind.band, scopes));
                }
            }
        }
        stages
    }

    /// Puts into a plan what applies to requests of this route and service.
    ///
    /// # Errors
    /// A plugin that cannot run where it is to.
    pub(crate) fn apply(
        &self,
        plan: &mut Plan,
        route: Option<Uuid>,
        service: Option<Uuid>,
    ) -> Result<(), CompileProblem> {
        let guards = self.guards.iter().enumerate();
        let (present, mut choices): (Vec<_>, Vec<_>) =
            guards.filter_map(|(kind, scopes)| Some((kind, scopes.choice(route, service)?))).unzip();
        if let Some(order) = self.orders.arrange(&present, route, service)? {
            choices = order.iter().filter_map(|place| choices.get(*place).cloned()).collect();
            let turn = |place| order.iter().position(|other| *other == place);
            plan.response_turns = Some((0..order.len()).filter_map(turn).collect());
        }
        plan.guards = choices;
        let mut wraps: Vec<_> = self.wraps.iter().map(|(_, scopes)| scopes.choice(route, service)).collect();
        let has = |band| self.wraps.iter().zip(&wraps).any(|((of, _), choice)| *of == band && choice.is_some());
        plan.bands = Bands { outer: has(Band::Outer), inner: has(Band::Inner) };
        // What has no place does not apply either: without a wrapping plugin, as on most of very many routes, no memory
        // is taken for them, nor read for a request.
        let used = wraps.iter().rposition(Option::is_some).map_or(0, |last| last.saturating_add(1));
        wraps.truncate(used);
        wraps.shrink_to_fit();
        plan.wraps = wraps;
        plan.memos = Memos::new(plan.wraps.len());
        plan.observers = self.observers.iter().filter_map(|scopes| scopes.choice(route, service)).collect();
        plan.bands.outer |= !plan.observers.is_empty();
        plan.observed = Memos::new(usize::from(!plan.observers.is_empty()));
        plan.secrets = self.secrets.clone();
        let names = plan.guards.iter().map(|choice| choice.name);
        let names = names.chain(plan.wraps.iter().flatten().map(|choice| choice.name));
        let mut names = names.chain(plan.observers.iter().map(|choice| choice.name));
        plan.records_spans = names.any(|name| self.recorders.contains(&name));
        Ok(())
    }
}

type Scoped<P> = (Scope, Arc<P>);

fn guard((scope, policy): (Scope, BuiltPolicy)) -> Option<Scoped<dyn Guard>> {
    match policy {
        BuiltPolicy::Guard(guard) => Some((scope, guard)),
        BuiltPolicy::Observe(_) | BuiltPolicy::Wrap(_) => None,
    }
}

fn observer((scope, policy): (Scope, BuiltPolicy)) -> Option<Scoped<dyn Observe>> {
    match policy {
        BuiltPolicy::Observe(observer) => Some((scope, observer)),
        BuiltPolicy::Guard(_) | BuiltPolicy::Wrap(_) => None,
    }
}

fn wrap((scope, policy): (Scope, BuiltPolicy)) -> Option<Scoped<Policy>> {
    match policy {
        BuiltPolicy::Wrap(policy) => Some((scope, policy)),
        BuiltPolicy::Guard(_) | BuiltPolicy::Observe(_) => None,
    }
}

fn secrets(policies: &Policies) -> Secrets {
    let mut secrets = Secrets::default();
    for (_, kept) in policies.iter() {
        if let BuiltPolicy::Guard(guard) = &kept.built.policy {
            guard.secrets(&mut secrets);
        }
    }
    secrets.settled()
}
