//! From consumers and credentials as written to the directory that requests are looked up in.

use std::collections::HashMap;

use towergate_config::{Config, entities::KeyauthCredential};
use towergate_core::{Consumer, Directory};
use uuid::Uuid;

/// The kind of credential that the plugin `key-auth` looks keys up in.
const KEY_AUTH: &str = "key-auth";

/// The directory of this configuration.
pub(crate) fn build(config: &Config) -> Directory {
    let mut groups: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for membership in &config.consumer_group_consumers {
        groups.entry(membership.consumer).or_default().push(membership.consumer_group);
    }
    let mut directory = Directory::builder();
    for entity in &config.consumers {
        let mut consumer = Consumer::default();
        consumer.id = entity.id;
        consumer.username = entity.username.clone();
        consumer.custom_id = entity.custom_id.clone();
        consumer.groups = groups.remove(&entity.id).unwrap_or_default();
        consumer.tags = entity.tags.clone().unwrap_or_default();
        directory.add_consumer(consumer);
    }
    for key in &config.keyauth_credentials {
        directory.add_credential(KEY_AUTH, key.id, key.consumer, &key.key, None, expires(key));
    }
    directory.build()
}

/// When a key ends, in seconds since 1970: its `ttl` counts from its creation. (Kong takes a declared
/// ttl for a moment long past and refuses such keys always; nobody relies on that.)
fn expires(key: &KeyauthCredential) -> Option<u64> {
    let ttl = key.ttl.filter(|ttl| *ttl > 0.0)?;
    // The schema refuses moments before 1970.
    let created = u64::try_from(key.created_at).unwrap_or(0);
    // A float beyond the range of seconds becomes the largest number of them.
    Some(created.saturating_add(ttl.ceil() as u64))
}
