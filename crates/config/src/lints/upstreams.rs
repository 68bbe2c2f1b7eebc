//! Upstreams nobody uses, and health checks that watch but cannot act.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::Lint;
use crate::config::Config;
use crate::declarative::kind::Kind;
use crate::entities::Upstream;

pub(super) fn lint(lint: &mut Lint<'_>) {
    let config = lint.config;
    let hosts: HashSet<&str> = config.services.iter().map(|service| service.host.as_str()).collect();
    let mut named = HashSet::new();
    config.plugins.iter().filter(|plugin| plugin.enabled).for_each(|plugin| texts(&plugin.config, &mut named));
    let mut weights: HashMap<_, u64> = HashMap::new();
    for target in &config.targets {
        let weight = weights.entry(target.upstream).or_default();
        *weight = weight.saturating_add(target.weight.unwrap_or(0).into());
    }
    for upstream in &config.upstreams {
        if !hosts.contains(upstream.name.as_str()) && !named.contains(upstream.name.as_str()) {
            lint.say(Kind::Upstreams, upstream.id, "name", unused(config, upstream));
        }
        if let Some(message) = deaf_checks(upstream) {
            lint.say(Kind::Upstreams, upstream.id, "healthchecks.active.unhealthy", message);
        }
        let without = match weights.get(&upstream.id) {
            None => "has no targets",
            Some(0) => "has only targets of weight 0",
            Some(_) => continue,
        };
        let message = format!("upstream '{}' {without}: requests to it are answered with 503", upstream.name);
        lint.say(Kind::Upstreams, upstream.id, "name", message);
    }
}

/// All texts of a plugin's configuration: it may send requests to an upstream that it names.
fn texts<'a>(value: &'a Value, found: &mut HashSet<&'a str>) {
    match value {
        Value::String(text) => drop(found.insert(text)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

fn unused(config: &Config, upstream: &Upstream) -> String {
    let name = &upstream.name;
    let near = config.services.iter().find(|service| name.starts_with(service.host.as_str()));
    let right = match near.and_then(|service| service.name.as_ref()) {
        Some(service) => format!("did you mean `host: {name}` in service '{service}'?"),
        None => format!("a service uses it by `host: {name}`"),
    };
    format!("upstream '{name}' is referenced by no service: its targets get no requests; {right}")
}

/// Active checks count only what they are told to count: by default neither refused connections nor
/// silence.
fn deaf_checks(upstream: &Upstream) -> Option<String> {
    let active = &upstream.healthchecks.active;
    if active.healthy.interval.unwrap_or(0.0) <= 0.0 {
        return None;
    }
    let refused = active.unhealthy.tcp_failures.unwrap_or(0) == 0;
    let silent = active.unhealthy.timeouts.unwrap_or(0) == 0;
    let (what, fields) = match (refused, silent) {
        (true, true) => ("refuses connections or hangs", "`tcp_failures` and `timeouts`"),
        (true, false) => ("refuses connections", "`tcp_failures`"),
        (false, true) => ("hangs", "`timeouts`"),
        (false, false) => return None,
    };
    Some(format!("a target that {what} is never found unhealthy: set {fields} above 0 (0, the default, is off)"))
}
