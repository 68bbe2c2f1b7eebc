//! Routes that answer nothing but an error.

use std::collections::{HashMap, HashSet};

use super::Lint;
use crate::declarative::kind::Kind;

/// Plugins that answer in place of a service.
const ANSWERING: &[&str] = &[
    "request-termination",
    "redirect",
    "mocking",
    "aws-lambda",
    "azure-functions",
    "ai-proxy",
    "forward-proxy",
    "pre-function",
    "post-function",
    "degraphql",
    "acme",
    "compose",
];

pub(super) fn lint(lint: &mut Lint<'_>) {
    let config = lint.config;
    let disabled: HashMap<_, _> =
        config.services.iter().filter(|s| !s.enabled).map(|s| (s.id, s.name.as_deref())).collect();
    let answered: HashSet<_> =
        config.plugins.iter().filter(|p| p.enabled && answers(&p.name)).map(|p| p.route).collect();
    for route in &config.routes {
        let message = match route.service {
            None if answered.contains(&Some(route.id)) || answered.contains(&None) => continue,
            None => {
                "this route has no service and no plugin that answers: requests get 503 'no Service found with those \
                     values'; name a service, or add a plugin such as request-termination"
                    .to_owned()
            }
            Some(service) => match disabled.get(&service) {
                None => continue,
                Some(name) => {
                    format!(
                        "the service '{}' is disabled, so this route does not exist",
                        name.unwrap_or("without a name")
                    )
                }
            },
        };
        lint.say(Kind::Routes, route.id, "", message);
    }
}

fn answers(plugin: &str) -> bool {
    ANSWERING.contains(&plugin)
}
