//! Consumers: who calls, and the groups they are in.

use serde::{Deserialize, Serialize};
use towergate_schema::{Schema, typedefs};
use uuid::Uuid;

use super::link;

/// Somebody who calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[schema(at_least_one_of("custom_id", "username"))]
pub struct Consumer {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
    /// A name, unique among consumers.
    #[schema(unique)]
    pub username: Option<String>,
    /// An id from elsewhere, unique among consumers.
    #[schema(unique)]
    pub custom_id: Option<String>,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
}

/// A group of consumers, to which plugins can be scoped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct ConsumerGroup {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
    /// Its name, unique among groups.
    #[schema(required, like = typedefs::utf8_name)]
    pub name: String,
    /// Labels to find it by.
    #[schema(like = typedefs::tags)]
    pub tags: Option<Vec<String>>,
}

/// That a consumer is in a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct ConsumerGroupConsumer {
    /// The id.
    #[schema(auto)]
    pub id: Uuid,
    /// When it was created, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub created_at: i64,
    /// When it was last changed, in seconds since 1970.
    #[schema(like = typedefs::auto_timestamp_s)]
    pub updated_at: i64,
    /// The consumer.
    #[serde(with = "link::required")]
    #[schema(required, like = link::to_consumers)]
    pub consumer: Uuid,
    /// The group.
    #[serde(with = "link::required")]
    #[schema(required, like = link::to_consumer_groups)]
    pub consumer_group: Uuid,
}
