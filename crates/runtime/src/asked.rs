//! Which clients are asked for a certificate: those whose requests may meet a plugin that looks at it.

use std::{collections::HashSet, sync::Arc};

use towergate_config::{
    Config,
    entities::{Plugin, Route},
};
use towergate_tls::Asked;
use uuid::Uuid;

use crate::{problem::CompileProblem, registry::Registry};

/// Works out who is asked, by the server names of the routes that such plugins apply to: as in Kong,
/// where one of the routes may be reached by any name, everybody is.
pub(crate) fn asked(config: &Config, registry: &Registry, problems: &mut Vec<CompileProblem>) -> Asked {
    let mut names = HashSet::new();
    let mut everybody = false;
    for plugin in config.plugins.iter().filter(|plugin| plugin.enabled) {
        let field = registry.kind(&plugin.name).and_then(|kind| kind.authorities_field);
        let Some(field) = field else { continue };
        check_authorities(config, plugin, field, problems);
        for route in config.routes.iter().filter(|route| applies(plugin, route)) {
            let of_route = route.snis.as_deref().unwrap_or_default();
            everybody |= of_route.is_empty() || of_route.iter().any(|name| name.contains('*'));
            names.extend(of_route.iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase().into()));
        }
    }
    match (everybody, names.is_empty()) {
        (true, _) => Asked::Everybody,
        (false, true) => Asked::Nobody,
        (false, false) => Asked::Names(Arc::new(names)),
    }
}

fn applies(plugin: &Plugin, route: &Route) -> bool {
    plugin.route.is_none_or(|id| id == route.id) && plugin.service.is_none_or(|id| route.service == Some(id))
}

/// An authority that is not there would leave nobody to trust.
fn check_authorities(config: &Config, plugin: &Plugin, field: &str, problems: &mut Vec<CompileProblem>) {
    let ids = plugin.effective_config().get(field).and_then(serde_json::Value::as_array);
    for (index, id) in ids.into_iter().flatten().filter_map(serde_json::Value::as_str).enumerate() {
        let known = id.parse::<Uuid>().is_ok_and(|id| config.ca_certificates.iter().any(|known| known.id == id));
        if !known {
            let message = format!("invalid reference 'ca_certificates: {id}' (no such entry in 'ca_certificates')");
            let place = format!("config.{field}[{index}]");
            problems.push(CompileProblem::new("plugins", plugin.id, Some(&plugin.name), &place, message));
        }
    }
}
