//! Which configurations of which plugins apply on a route, and in which order.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use towergate_core::{Bands, Guard, Observe, OtherWay, Plugins, Policy, Secrets};
use uuid::Uuid;

use crate::{
    order::Orders,
    policies::{Kept, Policies, Touched},
    problem::CompileProblem,
    registry::{Band, BuiltPolicy, PluginKind, Registry},
    scope::{Scope, Scopes},
};

/// The configurations of each plugin of the registry, by band, ready to be chosen from.
pub(crate) struct Stages {
    guards: Vec<Arc<Scopes<dyn Guard>>>,
    wraps: Vec<(Band, Arc<Scopes<Policy>>)>,
    observers: Vec<Arc<Scopes<dyn Observe>>>,
    secrets: Arc<Secrets>,
    orders: Orders,
    /// The names of the plugins that may ask when the parts of a request's way ran.
    recorders: Vec<&'static str>,
    /// The names of the plugins that look at the heads of responses outside the guards.
    seers: Vec<&'static str>,
}

impl Stages {
    /// Of these policies. Plugins of which nothing was touched since `previous` are taken from there.
    pub(crate) fn new(
        registry: &Registry,
        policies: &Policies,
        orders: Orders,
        base: &[(&'static str, Arc<dyn Observe>)],
        previous: Option<(&Self, &[Touched])>,
    ) -> Self {
        let mut by_name: HashMap<&str, Vec<&Kept>> = HashMap::new();
        policies.iter().for_each(|(_, kept)| by_name.entry(&kept.name).or_default().push(kept));
        let touched: HashSet<&str> = previous.iter().flat_map(|(_, all)| all.iter().map(|one| &*one.name)).collect();
        let untouched = |name: &str| previous.map(|(stages, _)| stages).filter(|_| !touched.contains(name));
        let everywhere = |(name, observer): &(&'static str, Arc<dyn Observe>)| {
            Arc::new(Scopes::new(name, [(Scope::default(), observer.clone())]))
        };
        let observers = base.iter().map(everywhere).collect();
        let recorders = registry.kinds().iter().filter(|kind| kind.records_spans).map(|kind| kind.name).collect();
        let sees = |kind: &&PluginKind| kind.band == Band::Outer && kind.sees_heads;
        let seers = registry.kinds().iter().filter(sees).map(|kind| kind.name).collect();
        let secrets = Arc::new(secrets(policies));
        let mut stages = Self { guards: Vec::new(), wraps: Vec::new(), observers, secrets, orders, recorders, seers };
        for kind in registry.kinds() {
            let (name, before) = (kind.name, untouched(kind.name));
            let built = by_name.get(name).into_iter().flatten().map(|kept| (kept.scope, kept.built.policy.clone()));
            match kind.band {
                Band::Guard => stages.guards.push(scopes(before.map(|before| &before.guards), name, built, guard)),
                Band::Log => {
                    stages.observers.push(scopes(before.map(|before| &before.observers), name, built, observer))
                }
                Band::Outer | Band::Inner => {
                    let known = before.and_then(|before| before.wraps.iter().find(|(_, known)| known.name() == name));
                    let known = known.map(|(_, known)| known.clone());
                    let made = || Arc::new(Scopes::new(name, built.filter_map(wrap)));
                    stages.wraps.push((kind.band, known.unwrap_or_else(made)));
                }
            }
        }
        stages
    }

    /// Where clients send what proves who they are: on a wrong route a key is a key, too.
    pub(crate) fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// What applies to requests of this route and service, which may be sent these ways instead.
    ///
    /// # Errors
    /// A plugin that cannot run where it is to.
    pub(crate) fn plugins(
        &self,
        route: Option<Uuid>,
        service: Option<Uuid>,
        overrides: Vec<OtherWay>,
    ) -> Result<Plugins, CompileProblem> {
        let guards = self.guards.iter().enumerate();
        let (present, mut guards): (Vec<_>, Vec<_>) =
            guards.filter_map(|(kind, scopes)| Some((kind, scopes.choice(route, service)?))).unzip();
        let mut response_turns = None;
        if let Some(order) = self.orders.arrange(&present, route, service)? {
            guards = order.iter().filter_map(|place| guards.get(*place).cloned()).collect();
            let turn = |place| order.iter().position(|other| *other == place);
            response_turns = Some((0..order.len()).filter_map(turn).collect());
        }
        let mut wraps: Vec<_> = self.wraps.iter().map(|(_, scopes)| scopes.choice(route, service)).collect();
        let has = |band| self.wraps.iter().zip(&wraps).any(|((of, _), choice)| *of == band && choice.is_some());
        let observers: Vec<_> = self.observers.iter().filter_map(|scopes| scopes.choice(route, service)).collect();
        let heads = !observers.is_empty() || wraps.iter().flatten().any(|choice| self.seers.contains(&choice.name));
        let bands = Bands { outer: has(Band::Outer) || !observers.is_empty(), inner: has(Band::Inner), heads };
        // What has no place does not apply either: without a wrapping plugin, as on most of very many routes, no memory
        // is taken for them, nor read for a request.
        let used = wraps.iter().rposition(Option::is_some).map_or(0, |last| last.saturating_add(1));
        wraps.truncate(used);
        wraps.shrink_to_fit();
        let names = guards.iter().map(|choice| choice.name);
        let names = names.chain(wraps.iter().flatten().map(|choice| choice.name));
        let mut names = names.chain(observers.iter().map(|choice| choice.name));
        let records_spans = names.any(|name| self.recorders.contains(&name));
        Ok(Plugins { bands, records_spans, guards, response_turns, wraps, observers, overrides })
    }
}

type Scoped<P> = (Scope, Arc<P>);

/// The configurations of one plugin: those of before, if nothing of them was touched.
fn scopes<P: ?Sized>(
    before: Option<&Vec<Arc<Scopes<P>>>>,
    name: &'static str,
    built: impl Iterator<Item = (Scope, BuiltPolicy)>,
    own: fn((Scope, BuiltPolicy)) -> Option<Scoped<P>>,
) -> Arc<Scopes<P>> {
    let same = before.and_then(|before| before.iter().find(|scopes| scopes.name() == name));
    same.cloned().unwrap_or_else(|| Arc::new(Scopes::new(name, built.filter_map(own))))
}

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
