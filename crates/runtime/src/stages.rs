//! Which configurations of which plugins apply on a route, and in which order.

use towergate_core::{Guard, Memos, Plan, Policy};
use uuid::Uuid;

use crate::{
    compile::Policies,
    order::Orders,
    problem::CompileProblem,
    registry::{Band, BuiltPolicy, Registry},
    scope::Scopes,
};

/// The configurations of each plugin of the registry, by band, ready to be chosen from.
pub(crate) struct Stages {
    guards: Vec<Scopes<dyn Guard>>,
    wraps: Vec<Scopes<Policy>>,
    orders: Orders,
}

impl Stages {
    pub(crate) fn new(registry: &Registry, policies: &Policies, orders: Orders) -> Self {
        let mut stages = Self { guards: Vec::new(), wraps: Vec::new(), orders };
        for kind in registry.kinds() {
            let of_kind = policies.iter().map(|(_, kept)| kept).filter(|kept| kept.name == kind.name);
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
        let wraps: Vec<_> = self.wraps.iter().map(|scopes| scopes.choice(route, service)).collect();
        // What has no place does not apply either: without a wrapping plugin, as on most of very many routes, no memory
        // is taken for them, nor read for a request.
        let used = wraps.iter().rposition(Option::is_some).map_or(0, |last| last.saturating_add(1));
        plan.wraps = wraps.into_iter().take(used).collect();
        plan.memos = Memos::new(plan.wraps.len());
        Ok(())
    }
}
