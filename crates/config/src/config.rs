//! The configuration: typed entities with their references resolved.

use serde_json::Value;
use uuid::Uuid;

use crate::declarative::Kind;
use crate::entities::{
    Acl, BasicauthCredential, CaCertificate, Certificate, Consumer, ConsumerGroup, ConsumerGroupConsumer,
    HmacauthCredential, JwtSecret, Key, KeySet, KeyauthCredential, Oauth2Credential, Oauth2Token, Plugin, Route,
    Service, Sni, Target, Upstream, Vault,
};

macro_rules! config {
    ($($(#[$doc:meta])* $field:ident: $kind:ident, $of:ty;)*) => {
        /// All entities of a configuration. Whatever one names is in it, under that id.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Config {
            $($(#[$doc])* pub $field: Vec<$of>,)*
            /// The MD5 of the text it was read from, in hexadecimal; zeros if there was none.
            pub hash: String,
            /// Whether secrets such as passwords are still to be hashed (`_transform`).
            pub transform: bool,
        }

        impl Config {
            /// A configuration of nothing.
            #[must_use]
            pub fn empty() -> Self {
                Self { $($field: Vec::new(),)* hash: "0".repeat(32), transform: true }
            }

            /// Adds a completed entity.
            pub(crate) fn push(&mut self, kind: Kind, value: Value) -> serde_json::Result<()> {
                match kind {
                    $(Kind::$kind => self.$field.push(serde_json::from_value(value)?),)*
                }
                Ok(())
            }

            /// The entities of a kind with their ids, as JSON with all their fields.
            pub fn entities(&self, kind: Kind) -> Box<dyn Iterator<Item = (Uuid, Value)> + '_> {
                match kind {
                    $(Kind::$kind => Box::new(self.$field.iter().map(|entity| {
                        (entity.id, whole_numbers(serde_json::to_value(entity).unwrap_or_default()))
                    })),)*
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

/// Writes `3.0` as `3`, as Kong does: its numbers know no difference.
fn whole_numbers(mut value: Value) -> Value {
    match &mut value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e15);
            // Below 2^53 a float without a fraction is exactly this integer.
            if let Some(float) = float {
                value = Value::from(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = whole_numbers(item.take())),
        Value::Object(fields) => fields.values_mut().for_each(|field| *field = whole_numbers(field.take())),
        _ => {}
    }
    value
}
