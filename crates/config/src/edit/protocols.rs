//! Whether a plugin can run where it is put.

use towergate_schema::Problem;

use super::{Edit, Refusal};
use crate::config::AnyEntity;
use crate::entities::{Plugin, Route};

impl Edit<'_> {
    /// Refuses a plugin none of whose protocols its route has, or the routes of its service.
    pub(super) fn check_protocols(&self, entity: &AnyEntity) -> Result<(), Refusal> {
        let AnyEntity::Plugins(plugin) = entity else { return Ok(()) };
        let mut routes = self.config.routes.iter();
        let problem = match (plugin.route, plugin.service) {
            (Some(id), _) => {
                let misses = routes.find(|route| route.id == id).is_some_and(|route| !fits(plugin, route));
                misses.then_some("must match the associated route's protocols")
            }
            (None, Some(id)) => {
                let mut of_service = routes.filter(|route| route.service == Some(id)).peekable();
                let misses = of_service.peek().is_some() && !of_service.any(|route| fits(plugin, route));
                misses.then_some("must match the protocols of at least one route pointing to this Plugin's service")
            }
            (None, None) => None,
        };
        problem.map_or(Ok(()), |text| Err(Refusal::schema_violation(&[Problem::field("protocols", text)])))
    }
}

fn fits(plugin: &Plugin, route: &Route) -> bool {
    plugin.protocols.iter().any(|protocol| route.protocols.contains(protocol))
}
