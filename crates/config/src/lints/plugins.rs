//! Plugins that never run, or whose metrics invite an alert that cannot work.

use std::collections::HashSet;

use super::Lint;
use crate::declarative::kind::Kind;

pub(super) fn lint(lint: &mut Lint<'_>) {
    never_run(lint);
    target_health(lint);
    sync_rate(lint);
}

/// Kong refuses such a plugin; here it counts exactly.
fn sync_rate(lint: &mut Lint<'_>) {
    let config = lint.config;
    for plugin in config.plugins.iter().filter(|plugin| plugin.enabled && plugin.name == "rate-limiting-advanced") {
        let written = |field: &str| plugin.config.get(field).filter(|value| !value.is_null());
        if written("strategy").is_some_and(|strategy| strategy == "redis") && written("sync_rate").is_none() {
            let message = "not given: each request is counted in Redis, as with 0; Kong Enterprise refuses this, so say \
                           which is meant";
            lint.say(Kind::Plugins, plugin.id, "config.sync_rate", message);
        }
    }
}

/// A target has one series for each state, and those it is not in are 0: an alert on 0 always fires.
fn target_health(lint: &mut Lint<'_>) {
    let config = lint.config;
    for plugin in config.plugins.iter().filter(|plugin| plugin.name == "prometheus") {
        if plugin.config.get("upstream_health_metrics").and_then(serde_json::Value::as_bool) == Some(true) {
            let message = "an alert on `kong_upstream_target_health == 0` always fires, because a target has a series for \
                           each state; right is `kong_upstream_target_health{state=~\"unhealthy|dns_error\"} == 1`";
            lint.say(Kind::Plugins, plugin.id, "config.upstream_health_metrics", message);
        }
    }
}

fn never_run(lint: &mut Lint<'_>) {
    let config = lint.config;
    let disabled: HashSet<_> =
        config.services.iter().filter(|service| !service.enabled).map(|service| service.id).collect();
    for plugin in config.plugins.iter().filter(|plugin| plugin.enabled) {
        if plugin.service.is_some_and(|service| disabled.contains(&service)) {
            let message = format!("plugin '{}' is scoped to a disabled service and never runs", plugin.name);
            lint.say(Kind::Plugins, plugin.id, "service", message);
        }
    }
}
