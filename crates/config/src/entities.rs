//! Kong's entities as typed structs, with their rules.
//!
//! A field's documentation is what the Admin API and the reference pages say about it; its
//! `schema` attribute is its rule. Ids of other entities are plain [`uuid::Uuid`]s: references were
//! resolved before a struct is made.

mod certificate;
mod consumer;
mod credential;
mod entity;
mod key;
mod link;
mod oauth2;
mod path;
mod plugin;
mod protocol;
mod resilience;
mod route;
mod rules;
mod service;
mod target;
mod upstream;
mod vault;

use std::sync::{LazyLock, OnceLock};

use serde_json::{Map, Value};
use towergate_schema::{Record, RecordSchema as _};

pub use certificate::{CaCertificate, Certificate, Sni};
pub use consumer::{Consumer, ConsumerGroup, ConsumerGroupConsumer};
pub use credential::{Acl, BasicauthCredential, HmacauthCredential, JwtAlgorithm, JwtSecret, KeyauthCredential};
pub use entity::Entity;
pub use key::{Key, KeyPem, KeySet};
pub use oauth2::{ClientType, Oauth2Credential, Oauth2Token, TokenType};
pub use plugin::{Ordering, OrderingPhases, Plugin};
pub use protocol::Protocol;
pub use resilience::{OutlierEjection, Resilience};
pub use route::{Endpoint, PathHandling, Route};
pub use service::Service;
pub use target::Target;
pub use upstream::{
    Active, ActiveHealthy, ActiveUnhealthy, Algorithm, HashOn, Healthchecks, Passive, PassiveHealthy, PassiveUnhealthy,
    ProbeType, Upstream,
};
pub use vault::Vault;

use crate::declarative::Kind;

/// The schema of a kind of entity. That of plugins says nothing of their `config`.
#[must_use]
pub fn record(kind: Kind) -> &'static Record {
    // Each when it is first asked for: most configurations have few kinds.
    static RECORDS: [OnceLock<Record>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
    static NONE: LazyLock<Record> = LazyLock::new(Record::new);
    let position = Kind::ALL.into_iter().position(|known| known == kind);
    let record = position.and_then(|position| RECORDS.get(position));
    record.map_or(&NONE, |record| record.get_or_init(|| build(kind)))
}

fn build(kind: Kind) -> Record {
    match kind {
        Kind::Services => Service::record(),
        Kind::Routes => Route::record(),
        Kind::Upstreams => Upstream::record(),
        Kind::Targets => Target::record(),
        Kind::Consumers => Consumer::record(),
        Kind::ConsumerGroups => ConsumerGroup::record(),
        Kind::ConsumerGroupConsumers => ConsumerGroupConsumer::record(),
        Kind::Plugins => Plugin::record(),
        Kind::Certificates => Certificate::record(),
        Kind::CaCertificates => CaCertificate::record(),
        Kind::Snis => Sni::record(),
        Kind::Vaults => Vault::record(),
        Kind::KeySets => KeySet::record(),
        Kind::Keys => Key::record(),
        Kind::KeyauthCredentials => KeyauthCredential::record(),
        Kind::BasicauthCredentials => BasicauthCredential::record(),
        Kind::HmacauthCredentials => HmacauthCredential::record(),
        Kind::JwtSecrets => JwtSecret::record(),
        Kind::Acls => Acl::record(),
        Kind::Oauth2Credentials => Oauth2Credential::record(),
        Kind::Oauth2Tokens => Oauth2Token::record(),
    }
}

/// What Kong changes in an entity as written before it is completed.
pub(crate) fn before_completion(kind: Kind, written: &mut Map<String, Value>) {
    match kind {
        Kind::Upstreams => upstream::coerce(written),
        Kind::Routes => route::coerce(written),
        _ => {}
    }
}

/// What Kong changes in an entity once it is complete and right; what is secret only if it is told to
/// (`_transform`).
pub(crate) fn after_completion(kind: Kind, transform: bool, complete: &mut Map<String, Value>) {
    match kind {
        Kind::Targets => target::normalize(complete),
        Kind::BasicauthCredentials if transform => credential::hash_password(complete),
        _ => {}
    }
}
