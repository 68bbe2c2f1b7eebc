//! The configuration: typed entities with their references resolved.

use serde_json::Value;
use uuid::Uuid;

use crate::declarative::Kind;
use crate::entities::{
    Acl, BasicauthCredential, CaCertificate, Certificate, Consumer, ConsumerGroup, ConsumerGroupConsumer, Entity,
    HmacauthCredential, JwtSecret, Key, KeySet, KeyauthCredential, Oauth2Credential, Oauth2Token, Plugin, Route,
    Service, Sni, Target, Upstream, Vault,
};
use crate::list::List;

macro_rules! config {
    ($($(#[$doc:meta])* $field:ident: $kind:ident, $of:ty;)*) => {
        /// All entities of a configuration. Whatever one names is in it, under that id. A copy shares them with what
        /// it is a copy of.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $($(#[$doc])* pub $field: List<$of>,)*
            /// The MD5 of the text it was read from, in hexadecimal; zeros if there was none.
            pub hash: String,
            /// Whether secrets such as passwords are still to be hashed (`_transform`).
            pub transform: bool,
        }

        impl Config {
            /// A configuration of nothing.
            #[must_use]
            pub fn empty() -> Self {
                Self { $($field: List::new(),)* hash: "0".repeat(32), transform: true }
            }

            /// Adds an entity, or puts it in the place of the one with its id.
            pub fn put(&mut self, entity: AnyEntity) {
                match entity {
                    $(AnyEntity::$kind(entity) => self.$field.put(entity),)*
                }
            }

            /// Adds an entity whose id is known to be new.
            pub(crate) fn push(&mut self, entity: AnyEntity) {
                match entity {
                    $(AnyEntity::$kind(entity) => self.$field.push(entity),)*
                }
            }

            /// Takes an entity out; whether it was there.
            pub fn remove(&mut self, kind: Kind, id: Uuid) -> bool {
                match kind {
                    $(Kind::$kind => self.$field.remove(id),)*
                }
            }

            /// The entities of a kind.
            pub fn iter(&self, kind: Kind) -> Box<dyn Iterator<Item = &dyn Entity> + '_> {
                match kind {
                    $(Kind::$kind => Box::new(self.$field.iter().map(|entity| entity as &dyn Entity)),)*
                }
            }

            /// The entity of a kind with an id.
            #[must_use]
            pub fn by_id(&self, kind: Kind, id: Uuid) -> Option<&dyn Entity> {
                match kind {
                    $(Kind::$kind => self.$field.by_id(id).map(|entity| entity as &dyn Entity),)*
                }
            }

            /// The entity in a place of the list of its kind.
            #[must_use]
            pub fn at(&self, kind: Kind, position: usize) -> Option<&dyn Entity> {
                match kind {
                    $(Kind::$kind => self.$field.get(position).map(|entity| entity as &dyn Entity),)*
                }
            }

            /// Whether the list of a kind is a copy of the other configuration's, and neither has changed since.
            #[must_use]
            pub fn is_same(&self, kind: Kind, other: &Self) -> bool {
                match kind {
                    $(Kind::$kind => self.$field.is_same(&other.$field),)*
                }
            }

            /// How many entities of a kind there are.
            #[must_use]
            pub fn count(&self, kind: Kind) -> usize {
                match kind {
                    $(Kind::$kind => self.$field.len(),)*
                }
            }
        }

        /// An entity of any kind, typed.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "one for each kind")]
        #[expect(clippy::large_enum_variant, reason = "there is one at a time, on its way into a list of its kind")]
        pub enum AnyEntity {
            $($kind($of),)*
        }

        impl AnyEntity {
            /// A completed entity in its typed form. References to secrets are not followed.
            pub(crate) fn of(kind: Kind, value: Value) -> serde_json::Result<Self> {
                Ok(match kind {
                    $(Kind::$kind => Self::$kind(serde_json::from_value(value)?),)*
                })
            }

            /// It, whatever kind it is of.
            #[must_use]
            pub fn entity(&self) -> &dyn Entity {
                match self {
                    $(Self::$kind(entity) => entity,)*
                }
            }
        }
    };
}

config! {
    /// Where requests go.
    services: Services, Service;
    /// Which requests are meant.
    routes: Routes, Route;
    /// Several addresses behind one name.
    upstreams: Upstreams, Upstream;
    /// The addresses.
    targets: Targets, Target;
    /// Who calls.
    consumers: Consumers, Consumer;
    /// Groups of those.
    consumer_groups: ConsumerGroups, ConsumerGroup;
    /// Who is in which group.
    consumer_group_consumers: ConsumerGroupConsumers, ConsumerGroupConsumer;
    /// What is done to requests and responses.
    plugins: Plugins, Plugin;
    /// Certificates with their keys.
    certificates: Certificates, Certificate;
    /// Certificate authorities that are trusted.
    ca_certificates: CaCertificates, CaCertificate;
    /// Server names and their certificates.
    snis: Snis, Sni;
    /// Where secrets are kept.
    vaults: Vaults, Vault;
    /// Sets of keys.
    key_sets: KeySets, KeySet;
    /// Keys for signatures.
    keys: Keys, Key;
    /// Keys of key-auth.
    keyauth_credentials: KeyauthCredentials, KeyauthCredential;
    /// Passwords of basic-auth.
    basicauth_credentials: BasicauthCredentials, BasicauthCredential;
    /// Secrets of hmac-auth.
    hmacauth_credentials: HmacauthCredentials, HmacauthCredential;
    /// Secrets of jwt.
    jwt_secrets: JwtSecrets, JwtSecret;
    /// Groups of acl.
    acls: Acls, Acl;
    /// Applications of oauth2.
    oauth2_credentials: Oauth2Credentials, Oauth2Credential;
    /// Tokens of oauth2.
    oauth2_tokens: Oauth2Tokens, Oauth2Token;
}

impl Default for Config {
    fn default() -> Self {
        Self::empty()
    }
}

impl Config {
    /// The entities of a kind with their ids, as JSON with all their fields.
    pub fn entities(&self, kind: Kind) -> impl Iterator<Item = (Uuid, Value)> {
        self.iter(kind).map(|entity| (entity.id(), entity.to_json()))
    }

    /// The entity of a kind whose field of this name holds this text.
    #[must_use]
    pub fn by_text(&self, kind: Kind, field: &str, text: &str) -> Option<&dyn Entity> {
        self.iter(kind).find(|entity| entity.text(field) == Some(text))
    }
}
