//! Entities as the Admin API shows them.

use std::sync::Arc;

use serde::Serialize;
use towergate_config::Config;
use towergate_core::Entities;
use uuid::Uuid;

/// The entities of a configuration.
#[derive(Debug)]
pub(crate) struct Shown(pub(crate) Arc<Config>);

impl Entities for Shown {
    fn route(&self, id: Uuid) -> Option<String> {
        json(self.0.routes.iter().find(|route| route.id == id)?)
    }

    fn service(&self, id: Uuid) -> Option<String> {
        json(self.0.services.iter().find(|service| service.id == id)?)
    }
}

fn json(entity: &impl Serialize) -> Option<String> {
    serde_json::to_string(entity).ok()
}
