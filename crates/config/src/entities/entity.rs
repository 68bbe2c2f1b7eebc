//! What entities of all kinds have in common.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Acl, BasicauthCredential, CaCertificate, Certificate, Consumer, ConsumerGroup, ConsumerGroupConsumer,
    HmacauthCredential, JwtSecret, Key, KeySet, KeyauthCredential, Oauth2Credential, Oauth2Token, Plugin, Route,
    Service, Sni, Target, Upstream, Vault,
};
use crate::declarative::Kind;

/// An entity of any kind, to be found, compared and shown without knowing which kind it is.
pub trait Entity: Send + Sync {
    /// Its kind.
    fn kind(&self) -> Kind;

    /// Its id.
    fn id(&self) -> Uuid;

    /// Its labels; none if the kind has no labels.
    fn tags(&self) -> &[String];

    /// The text of a field it may be found by, or that is compared because it must be unique
    /// ([`Kind::endpoint_key`] and its like).
    fn text(&self, field: &str) -> Option<&str>;

    /// The id of the entity that a field of it names.
    fn link(&self, field: &str) -> Option<Uuid>;

    /// All its fields, null where nothing is set. References to secrets stay references.
    fn to_json(&self) -> Value;
}

macro_rules! entities {
    ($($kind:ident: $of:ty { $($tags:ident,)? [$($text:ident),*], [$($link:ident),*] })*) => {
        $(impl Entity for $of {
            fn kind(&self) -> Kind {
                Kind::$kind
            }

            fn id(&self) -> Uuid {
                self.id
            }

            fn tags(&self) -> &[String] {
                $(if let Some(tags) = &self.$tags {
                    return tags;
                })?
                &[]
            }

            fn text(&self, field: &str) -> Option<&str> {
                match field {
                    $(stringify!($text) => self.$text.as_text(),)*
                    _ => None,
                }
            }

            fn link(&self, field: &str) -> Option<Uuid> {
                match field {
                    $(stringify!($link) => self.$link.into(),)*
                    _ => None,
                }
            }

            fn to_json(&self) -> Value {
                shown(self)
            }
        })*

        /// The fields that [`Entity::text`] and [`Entity::link`] know of a kind.
        #[cfg(test)]
        pub(crate) const fn known(kind: Kind) -> (&'static [&'static str], &'static [&'static str]) {
            match kind {
                $(Kind::$kind => (&[$(stringify!($text)),*], &[$(stringify!($link)),*]),)*
            }
        }
    };
}

entities! {
    Services: Service { tags, [name], [client_certificate] }
    Routes: Route { tags, [name], [service] }
    Upstreams: Upstream { tags, [name], [client_certificate] }
    Targets: Target { tags, [target], [upstream] }
    Consumers: Consumer { tags, [username, custom_id], [] }
    ConsumerGroups: ConsumerGroup { tags, [name], [] }
    ConsumerGroupConsumers: ConsumerGroupConsumer { [], [consumer, consumer_group] }
    Plugins: Plugin { tags, [name, instance_name], [route, service, consumer, consumer_group] }
    Certificates: Certificate { tags, [], [] }
    CaCertificates: CaCertificate { tags, [cert_digest], [] }
    Snis: Sni { tags, [name], [certificate] }
    Vaults: Vault { tags, [prefix], [] }
    KeySets: KeySet { tags, [name], [] }
    Keys: Key { tags, [name, kid], [set] }
    KeyauthCredentials: KeyauthCredential { tags, [key], [consumer] }
    BasicauthCredentials: BasicauthCredential { tags, [username], [consumer] }
    HmacauthCredentials: HmacauthCredential { tags, [username], [consumer] }
    JwtSecrets: JwtSecret { tags, [key], [consumer] }
    Acls: Acl { tags, [group], [consumer] }
    Oauth2Credentials: Oauth2Credential { tags, [client_id], [consumer] }
    Oauth2Tokens: Oauth2Token { [access_token, refresh_token], [credential, service] }
}

trait AsText {
    fn as_text(&self) -> Option<&str>;
}

impl AsText for String {
    fn as_text(&self) -> Option<&str> {
        Some(self)
    }
}

impl AsText for Box<str> {
    fn as_text(&self) -> Option<&str> {
        Some(self)
    }
}

impl<T: AsText> AsText for Option<T> {
    fn as_text(&self) -> Option<&str> {
        self.as_ref()?.as_text()
    }
}

fn shown(entity: &impl Serialize) -> Value {
    whole_numbers(serde_json::to_value(entity).unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_looked_up_is_known() {
        for kind in Kind::ALL {
            let (texts, links) = known(kind);
            let named: Vec<_> = kind.foreigns().iter().map(|foreign| foreign.field).collect();
            assert_eq!(links.to_vec(), named, "{kind:?}");
            let unique = kind.endpoint_key().into_iter().chain(kind.also_unique().iter().copied());
            let together = kind.unique_together().iter().copied().filter(|field| !named.contains(field));
            for field in unique.chain(together) {
                assert!(texts.contains(&field), "{kind:?}: {field}");
            }
        }
    }
}
