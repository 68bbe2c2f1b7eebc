//! From consumers and credentials as written to the directory that requests are looked up in.

use std::collections::HashMap;

use towergate_config::{Config, Kind};
use towergate_core::{Consumer, Directory};
use towergate_tls::Authority;
use uuid::Uuid;

use crate::{credentials, problem::CompileProblem, registry::Registry};

/// The kinds of entities that a directory is made of.
pub(crate) const KINDS: &[Kind] = &[
    Kind::Consumers,
    Kind::ConsumerGroups,
    Kind::ConsumerGroupConsumers,
    Kind::CaCertificates,
    Kind::KeyauthCredentials,
    Kind::BasicauthCredentials,
    Kind::HmacauthCredentials,
    Kind::JwtSecrets,
    Kind::Acls,
];

/// The directory of this configuration, with the credentials that plugins of the registry look up.
pub(crate) fn build(config: &Config, registry: &Registry, problems: &mut Vec<CompileProblem>) -> Directory {
    let mut groups: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
    for membership in &config.consumer_group_consumers {
        groups.entry(membership.consumer).or_default().push(membership.consumer_group);
    }
    let mut acl_groups: HashMap<Uuid, Vec<Box<str>>> = HashMap::new();
    for acl in &config.acls {
        acl_groups.entry(acl.consumer).or_default().push(acl.group.clone());
    }
    let mut directory = Directory::builder();
    for group in &config.consumer_groups {
        directory.add_group(group.id, &group.name);
    }
    for entity in &config.consumers {
        let mut consumer = Consumer::default();
        consumer.id = entity.id;
        consumer.username = entity.username.clone();
        consumer.custom_id = entity.custom_id.clone();
        consumer.groups = groups.remove(&entity.id).unwrap_or_default();
        consumer.acl_groups = acl_groups.remove(&entity.id).unwrap_or_default().into_iter().collect();
        (consumer.created_at, consumer.updated_at) = (entity.created_at, entity.updated_at);
        consumer.tags = entity.tags.clone().unwrap_or_default();
        directory.add_consumer(consumer);
    }
    for authority in &config.ca_certificates {
        // Looked at when it was read.
        if let Ok(certificate) = Authority::from_pem(&authority.cert) {
            directory.add_authority(authority.id, certificate.der());
        }
    }
    for kind in registry.credentials() {
        credentials::add(kind, config, &mut directory, problems);
    }
    directory.build()
}
