//! Which plugins run, in which order, with whose configuration.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};
use towergate_config::entities;
use towergate_core::{Consumer, Guard, Observe, Plan, Policy};
use towergate_schema::{Kind, Record, is_reference};
use uuid::Uuid;

use super::named;
use crate::{
    compile::Runtime,
    registry::{Band, BuiltPolicy, PluginKind, Registry},
};

/// A plugin that runs, with the configuration that applies.
#[derive(Debug, Clone, Serialize)]
pub struct ShownPlugin {
    /// The id of the plugin entity.
    pub id: Uuid,
    /// Which plugin.
    pub name: String,
    /// The name of this use of it.
    pub instance_name: Option<String>,
    /// Its PRIORITY.
    pub priority: i32,
    /// Where it stands: `outer` sees every response, `guard` lets through or refuses, `inner` sees what
    /// all guards let through, `log` is told when the request is over.
    pub band: &'static str,
    /// For what it was configured, such as `route orders` or `everything`.
    pub scope: String,
    /// Its configuration, secrets masked.
    pub config: Value,
    /// What of it is not the default.
    pub set: Value,
}

/// A configuration that might be expected to apply, and does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// The id of the plugin entity.
    pub id: Uuid,
    /// Which plugin.
    pub name: String,
    /// For what it was configured.
    pub scope: String,
    /// Why it does not apply.
    pub why: String,
}

/// The plugins of a plan in the order in which they run.
pub(super) fn run(
    runtime: &Runtime,
    registry: &Registry,
    plan: &Plan,
    consumer: Option<&Consumer>,
    notes: &mut Vec<String>,
) -> Vec<ShownPlugin> {
    let mut shown = Vec::new();
    let wraps = registry.kinds().iter().filter(|kind| matches!(kind.band, Band::Outer | Band::Inner));
    let wraps: Vec<_> = wraps.zip(&plan.plugins.wraps).collect();
    let mut add = |id: Option<Uuid>| shown.extend(id.and_then(|id| self::shown(runtime, registry, id)));
    for (_, choice) in wraps.iter().filter(|(kind, _)| kind.band == Band::Outer) {
        add(choice.as_ref().and_then(|choice| choice.pick(None)).and_then(|policy| wrap_id(runtime, policy)));
    }
    // Who a consumer is comes out at the first plugin that authenticates: what runs before has nobody's.
    let mut known = None;
    for choice in &plan.plugins.guards {
        if registry.kind(choice.name).is_some_and(authenticates) {
            known = consumer;
        }
        add(choice.pick(known).and_then(|guard| guard_id(runtime, guard)));
    }
    for (_, choice) in wraps.iter().filter(|(kind, _)| kind.band == Band::Inner) {
        add(choice.as_ref().and_then(|choice| choice.pick(known)).and_then(|policy| wrap_id(runtime, policy)));
    }
    for choice in &plan.plugins.observers {
        add(choice.pick(known).and_then(|observer| observer_id(runtime, observer)));
    }
    if consumer.is_some() && known.is_none() {
        notes.push("no plugin here finds out who the consumer is, so that nothing applies for one".into());
    }
    shown
}

/// Whether it finds out who the consumer is.
fn authenticates(kind: &PluginKind) -> bool {
    kind.credentials.is_some() || kind.authorities_field.is_some() || kind.name == "jwks-auth"
}

fn guard_id(runtime: &Runtime, guard: &dyn Guard) -> Option<Uuid> {
    id_of(runtime, |built| match built {
        BuiltPolicy::Guard(known) => std::ptr::addr_eq(Arc::as_ptr(known), std::ptr::from_ref(guard)),
        BuiltPolicy::Observe(_) | BuiltPolicy::Wrap(_) => false,
    })
}

fn wrap_id(runtime: &Runtime, policy: &Policy) -> Option<Uuid> {
    id_of(runtime, |built| match built {
        BuiltPolicy::Wrap(known) => std::ptr::addr_eq(Arc::as_ptr(known), std::ptr::from_ref(policy)),
        BuiltPolicy::Guard(_) | BuiltPolicy::Observe(_) => false,
    })
}

fn observer_id(runtime: &Runtime, observer: &dyn Observe) -> Option<Uuid> {
    id_of(runtime, |built| match built {
        BuiltPolicy::Observe(known) => std::ptr::addr_eq(Arc::as_ptr(known), std::ptr::from_ref(observer)),
        BuiltPolicy::Guard(_) | BuiltPolicy::Wrap(_) => false,
    })
}

/// The entity that a policy was made of.
fn id_of(runtime: &Runtime, is_it: impl Fn(&BuiltPolicy) -> bool) -> Option<Uuid> {
    runtime.policies.iter().find(|(_, kept)| is_it(&kept.built.policy)).map(|(id, _)| id)
}

fn shown(runtime: &Runtime, registry: &Registry, id: Uuid) -> Option<ShownPlugin> {
    let entity = runtime.config.plugins.iter().find(|entity| entity.id == id)?;
    let kind = registry.kind(&entity.name)?;
    let config = masked(&kind.schema.config, &entity.config);
    Some(ShownPlugin {
        id,
        name: entity.name.clone(),
        instance_name: entity.instance_name.clone(),
        priority: kind.priority,
        band: match kind.band {
            Band::Outer => "outer",
            Band::Guard => "guard",
            Band::Inner => "inner",
            Band::Log => "log",
        },
        scope: scope(runtime, entity),
        set: changed(&kind.schema.config, &config),
        config,
    })
}

/// Configurations of plugins on the same route, service and consumer that others go before, and those
/// that are switched off.
pub(super) fn passed_over(
    runtime: &Runtime,
    registry: &Registry,
    plan: &Plan,
    consumer: Option<&Consumer>,
    running: &[ShownPlugin],
) -> Vec<PassedOver> {
    let (route, service) = (plan.route.as_ref().map(|route| route.id), plan.service.as_ref().map(|service| service.id));
    let fits = |wanted: Option<Uuid>, is: Option<Uuid>| wanted.is_none() || wanted == is;
    let in_group = |group: Option<Uuid>| group.is_none_or(|id| consumer.is_some_and(|one| one.groups.contains(&id)));
    let concerned = runtime.config.plugins.iter().filter(|entity| {
        fits(entity.route, route)
            && fits(entity.service, service)
            && fits(entity.consumer, consumer.map(|consumer| consumer.id))
            && in_group(entity.consumer_group)
            && !running.iter().any(|shown| shown.id == entity.id)
    });
    let why = |entity: &entities::Plugin| match running.iter().find(|shown| shown.name == entity.name) {
        _ if !entity.enabled => "it is switched off".to_owned(),
        Some(shown) => format!("the one for {} goes before it", shown.scope),
        None if registry.kind(&entity.name).is_none() => "this version does not have the plugin".to_owned(),
        None => "the consumer is not known when it runs, or it is for other protocols".to_owned(),
    };
    let shown = |entity: &entities::Plugin| PassedOver {
        id: entity.id,
        name: entity.name.clone(),
        scope: scope(runtime, entity),
        why: why(entity),
    };
    concerned.map(shown).collect()
}

/// For what a plugin was configured, in words.
fn scope(runtime: &Runtime, entity: &entities::Plugin) -> String {
    let config = &runtime.config;
    let mut parts = Vec::new();
    if let Some(route) = entity.route.and_then(|id| config.routes.iter().find(|route| route.id == id)) {
        parts.push(format!("route {}", named(route.name.as_deref(), route.id)));
    }
    if let Some(service) = entity.service.and_then(|id| config.services.iter().find(|service| service.id == id)) {
        parts.push(format!("service {}", named(service.name.as_deref(), service.id)));
    }
    if let Some(consumer) = entity.consumer.and_then(|id| config.consumers.iter().find(|consumer| consumer.id == id)) {
        parts.push(format!("consumer {}", named(consumer.username.as_deref(), consumer.id)));
    }
    if let Some(group) = entity.consumer_group.and_then(|id| config.consumer_groups.iter().find(|one| one.id == id)) {
        parts.push(format!("consumer group {}", group.name));
    }
    if parts.is_empty() { "everything".to_owned() } else { parts.join(" and ") }
}

/// A configuration without its secrets; references to them stay.
fn masked(record: &Record, config: &Value) -> Value {
    let Value::Object(fields) = config else { return config.clone() };
    let mask = |(name, value): (&String, &Value)| {
        let field = record.fields().find(|(known, _)| known == name).map(|(_, field)| field);
        let is_secret = field.is_some_and(|field| field.encrypted) || sounds_secret(name);
        let shown = match (field.map(|field| &field.kind), value) {
            (_, Value::Null) => Value::Null,
            (_, Value::String(text)) if is_reference(text) => json!(text),
            (_, Value::String(_) | Value::Array(_)) if is_secret => json!("******"),
            (Some(Kind::Record(inner)), value) => masked(inner, value),
            (_, value) => value.clone(),
        };
        (name.clone(), shown)
    };
    Value::Object(fields.iter().map(mask).collect())
}

/// What is a secret by its name, wherever a schema does not say it.
fn sounds_secret(name: &str) -> bool {
    name.ends_with("password") || name.ends_with("secret") || name.ends_with("api_key") || name == "credentials"
}

/// What is neither null nor the default.
fn changed(record: &Record, config: &Value) -> Value {
    let Value::Object(fields) = config else { return config.clone() };
    let mut set = Map::new();
    for (name, value) in fields {
        let field = record.fields().find(|(known, _)| known == name).map(|(_, field)| field);
        let default = field.and_then(|field| field.default.as_ref());
        match field.map(|field| &field.kind) {
            _ if value.is_null() || default == Some(value) => {}
            Some(Kind::Record(inner)) => {
                let inner = changed(inner, value);
                if inner.as_object().is_some_and(|inner| !inner.is_empty()) {
                    set.insert(name.clone(), inner);
                }
            }
            _ => drop(set.insert(name.clone(), value.clone())),
        }
    }
    Value::Object(set)
}
