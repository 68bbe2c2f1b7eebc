//! The policies of a configuration, and what becomes of them in the next.

use std::{collections::HashMap, fmt, sync::Arc};

use serde_json::Value;
use towergate_config::{Difference, entities};
use towergate_core::{Env, Shared};
use uuid::Uuid;

use crate::{
    problem::CompileProblem,
    registry::{Built, PluginKind, Registry},
    scope::Scope,
};

/// The policies of one configuration by the id of their plugin entity.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    kept: HashMap<Uuid, Arc<Kept>>,
}

/// A policy, and what it was made of.
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    config: Value,
    pub(crate) built: Built,
}

/// A place where from now on another policy applies than before, or none, or in another order.
#[derive(Debug)]
pub(crate) struct Touched {
    /// The plugin's name.
    pub(crate) name: String,
    pub(crate) scope: Scope,
    /// Whether the policy, the one before or this one, may send requests elsewhere.
    pub(crate) sends_elsewhere: bool,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("name", &self.name).field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl Kept {
    /// Whether a policy for this entity would be the same. When it was created does not matter.
    fn is_of(&self, entity: &entities::Plugin) -> bool {
        self.name == entity.name && self.scope == scope(entity) && self.config == *entity.effective_config()
    }

    pub(crate) fn sends_elsewhere(&self) -> bool {
        !self.built.overrides.is_empty()
    }

    fn touched(&self) -> Touched {
        Touched { name: self.name.clone(), scope: self.scope, sends_elsewhere: self.sends_elsewhere() }
    }
}

impl Policies {
    /// The policies after these entities have changed, and where that matters. Policies whose entity says the same as
    /// before are carried over, with their state.
    pub(crate) fn after(
        before: Option<&Arc<Self>>,
        differences: &[Difference<'_, entities::Plugin>],
        registry: &Registry,
        problems: &mut Vec<CompileProblem>,
    ) -> (Arc<Self>, Vec<Touched>) {
        if let (Some(before), true) = (before, differences.is_empty()) {
            return (before.clone(), Vec::new());
        }
        let mut kept = before.map(|before| before.kept.clone()).unwrap_or_default();
        let mut touched = Vec::new();
        for (before, now) in differences {
            let Some(id) = now.or(*before).map(|entity| entity.id) else { continue };
            let known = kept.remove(&id);
            let next = now.filter(|entity| runs(entity)).and_then(|entity| {
                let same = known.clone().filter(|known| known.is_of(entity));
                same.map_or_else(|| make(entity, registry), |same| Some(Ok(same)))
            });
            let next = next.transpose().unwrap_or_else(|problem| {
                problems.push(problem);
                None
            });
            let is_same = match (&known, &next) {
                (Some(known), Some(next)) => Arc::ptr_eq(known, next),
                (known, next) => known.is_none() && next.is_none(),
            };
            if !is_same || before.map(|entity| &entity.ordering) != now.map(|entity| &entity.ordering) {
                touched.extend([&known, &next].into_iter().flatten().map(|kept| kept.touched()));
            }
            kept.extend(next.map(|next| (id, next)));
        }
        (Arc::new(Self { kept }), touched)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Uuid, &Kept)> {
        self.kept.iter().map(|(id, kept)| (*id, &**kept))
    }

    /// The policy of the entity with this id.
    pub(crate) fn get(&self, id: Uuid) -> Option<&Kept> {
        self.kept.get(&id).map(|kept| &**kept)
    }
}

fn make(entity: &entities::Plugin, registry: &Registry) -> Option<Result<Arc<Kept>, CompileProblem>> {
    let kind = registry.kind(&entity.name)?;
    let kept = |built| {
        let (name, scope, config) = (entity.name.clone(), scope(entity), entity.effective_config().clone());
        Arc::new(Kept { name, scope, config, built })
    };
    Some(build(kind, entity, registry.shared()).map(kept))
}

/// Whether it is switched on, and for HTTP. Kong tells protocols apart by subsystem only: a plugin for
/// `https` runs on `http` too.
pub(crate) fn runs(entity: &entities::Plugin) -> bool {
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
