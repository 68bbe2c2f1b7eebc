//! Plugins that never run.

use std::collections::HashSet;

use super::Lint;
use crate::declarative::kind::Kind;

pub(super) fn lint(lint: &mut Lint<'_>) {
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
