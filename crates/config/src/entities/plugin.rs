//! Plugins: what is done to requests and responses, and for whom.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use towergate_schema::{Schema, typedefs};
use uuid::Uuid;

use super::link;
use super::protocol::Protocol;

/// A plugin with its configuration, for everything or for one route, service, consumer or group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Plugin {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// Which plugin.
    #[schema(required)]
    pub name: String,
    /// A name for this use of it, unique among plugins.
    #[schema(like = typedefs::utf8_name)]
    pub instance_name: Option<String>,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
    /// The only route it is for.
    #[serde(with = "link")]
    #[schema(like = link::to_routes)]
    pub route: Option<Uuid>,
    /// The only service it is for.
    #[serde(with = "link")]
    #[schema(like = link::to_services)]
    pub service: Option<Uuid>,
    /// The only consumer it is for.
    #[serde(with = "link")]
    #[schema(like = link::to_consumers)]
    pub consumer: Option<Uuid>,
    /// The only group of consumers it is for.
    #[serde(with = "link")]
    #[schema(like = link::to_consumer_groups)]
    pub consumer_group: Option<Uuid>,
    /// Its configuration, complete, with references to secrets as written.
    pub config: Value,
    /// The protocols it runs on.
    #[schema(set, required, default = ["grpc", "grpcs", "http", "https"])]
    pub protocols: Vec<Protocol>,
    /// Whether it runs at all.
    #[schema(required, default = true)]
    pub enabled: bool,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
    /// Before and after which other plugins it runs; nothing said is by PRIORITY. As in Kong Enterprise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordering: Option<Ordering>,
    /// [`Plugin::config`] with the secrets in place of the references; none if there are none.
    #[serde(skip)]
    #[schema(skip)]
    pub(crate) revealed: Option<Box<Value>>,
}

/// Before and after which other plugins a plugin runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Ordering {
    /// It runs before these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<OrderingPhases>,
    /// It runs after these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<OrderingPhases>,
}

/// Names of plugins by phase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct OrderingPhases {
    /// When requests are let through or refused: the only phase whose order can be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Vec<String>>,
}

impl Ordering {
    /// The plugins it runs before.
    pub fn before(&self) -> &[String] {
        names(self.before.as_ref())
    }

    /// The plugins it runs after.
    pub fn after(&self) -> &[String] {
        names(self.after.as_ref())
    }
}

fn names(phases: Option<&OrderingPhases>) -> &[String] {
    phases.and_then(|phases| phases.access.as_deref()).unwrap_or_default()
}

impl Plugin {
    /// The configuration to run with: references to secrets are replaced by the secrets. Never show it.
    #[must_use]
    pub fn effective_config(&self) -> &Value {
        self.revealed.as_deref().unwrap_or(&self.config)
    }
}
