//! cors where the preflight cannot arrive.

use std::collections::HashSet;

use super::Lint;
use crate::declarative::kind::Kind;
use crate::entities::{Plugin, Route};

/// A browser asks with `OPTIONS` first; a route that does not take it leaves that to the 404.
pub(super) fn lint(lint: &mut Lint<'_>) {
    let config = lint.config;
    let cors: Vec<&Plugin> = config.plugins.iter().filter(|plugin| plugin.enabled && plugin.name == "cors").collect();
    if cors.is_empty() {
        return;
    }
    // Another route with the same hosts and paths may be there for the preflights.
    let taking: HashSet<_> = config.routes.iter().filter(|r| takes_options(r)).map(|r| (&r.paths, &r.hosts)).collect();
    for route in config.routes.iter().filter(|route| !takes_options(route)) {
        if cors.iter().any(|plugin| covers(plugin, route)) && !taking.contains(&(&route.paths, &route.hosts)) {
            let message = "cors applies to this route, but it does not take OPTIONS: a browser's preflight request gets \
                           404; add OPTIONS to `methods`";
            lint.say(Kind::Routes, route.id, "methods", message);
        }
    }
}

fn takes_options(route: &Route) -> bool {
    route.methods.as_ref().is_none_or(|methods| methods.is_empty() || methods.iter().any(|method| method == "OPTIONS"))
}

fn covers(plugin: &Plugin, route: &Route) -> bool {
    plugin.route.is_none_or(|id| id == route.id) && (plugin.service.is_none() || plugin.service == route.service)
}
