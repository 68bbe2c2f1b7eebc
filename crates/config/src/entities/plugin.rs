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
    /// [`Plugin::config`] with the secrets in place of the references; none if there are none.
    #[serde(skip)]
    #[schema(skip)]
    pub(crate) revealed: Option<Box<Value>>,
}

impl Plugin {
    /// The configuration to run with: references to secrets are replaced by the secrets. Never show it.
    #[must_use]
    pub fn effective_config(&self) -> &Value {
        self.revealed.as_deref().unwrap_or(&self.config)
    }
}
