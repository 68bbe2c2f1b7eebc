//! The kinds of entities a configuration may declare and how they belong together.

/// A kind of entity, named as its collection in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "Kong's own names")]
pub enum Kind {
    Services,
    Routes,
    Upstreams,
    Targets,
    Consumers,
    ConsumerGroups,
    ConsumerGroupConsumers,
    Plugins,
    Certificates,
    CaCertificates,
    Snis,
    Vaults,
    KeySets,
    Keys,
    KeyauthCredentials,
    BasicauthCredentials,
    HmacauthCredentials,
    JwtSecrets,
    Acls,
    Oauth2Credentials,
    Oauth2Tokens,
}

/// A field that names another entity.
#[derive(Debug)]
pub struct Foreign {
    /// Its name.
    pub field: &'static str,
    /// The kind of the entity it names.
    pub of: Kind,
}

/// How the id of an entity without one is made. The result is the same on every load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdRule {
    /// From the value of this field.
    Key(&'static str),
    /// From the values of these fields, with the name of the collection before them. Those marked
    /// required must be there.
    Cache(&'static [(&'static str, bool)]),
    /// From everything the entity says.
    Content,
}

impl Kind {
    /// All kinds, each after those it refers to.
    pub const ALL: [Self; 21] = [
        Self::Consumers,
        Self::ConsumerGroups,
        Self::ConsumerGroupConsumers,
        Self::Certificates,
        Self::CaCertificates,
        Self::Services,
        Self::Routes,
        Self::Snis,
        Self::Upstreams,
        Self::Targets,
        Self::Plugins,
        Self::Vaults,
        Self::KeySets,
        Self::Keys,
        Self::KeyauthCredentials,
        Self::BasicauthCredentials,
        Self::HmacauthCredentials,
        Self::JwtSecrets,
        Self::Acls,
        Self::Oauth2Credentials,
        Self::Oauth2Tokens,
    ];

    /// The name of the collection: `services`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Routes => "routes",
            Self::Upstreams => "upstreams",
            Self::Targets => "targets",
            Self::Consumers => "consumers",
            Self::ConsumerGroups => "consumer_groups",
            Self::ConsumerGroupConsumers => "consumer_group_consumers",
            Self::Plugins => "plugins",
            Self::Certificates => "certificates",
            Self::CaCertificates => "ca_certificates",
            Self::Snis => "snis",
            Self::Vaults => "vaults",
            Self::KeySets => "key_sets",
            Self::Keys => "keys",
            Self::KeyauthCredentials => "keyauth_credentials",
            Self::BasicauthCredentials => "basicauth_credentials",
            Self::HmacauthCredentials => "hmacauth_credentials",
            Self::JwtSecrets => "jwt_secrets",
            Self::Acls => "acls",
            Self::Oauth2Credentials => "oauth2_credentials",
            Self::Oauth2Tokens => "oauth2_tokens",
        }
    }

    /// Its place in [`Kind::ALL`].
    #[must_use]
    pub fn position(self) -> usize {
        Self::ALL.iter().position(|kind| *kind == self).unwrap_or_default()
    }

    /// Whether entities of this kind are credentials of a consumer.
    #[must_use]
    pub const fn is_credential(self) -> bool {
        matches!(
            self,
            Self::KeyauthCredentials | Self::BasicauthCredentials | Self::HmacauthCredentials | Self::JwtSecrets
        )
    }

    /// The kind whose collection is called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name of one entity of the collection: `service`.
    #[must_use]
    pub fn singular(self) -> &'static str {
        let name = self.name();
        name.strip_suffix('s').unwrap_or(name)
    }

    /// The field that may stand for the id when others refer to it; no two entities of the kind
    /// may share its value.
    #[must_use]
    pub const fn endpoint_key(self) -> Option<&'static str> {
        match self {
            Self::Services
            | Self::Routes
            | Self::Upstreams
            | Self::Snis
            | Self::KeySets
            | Self::Keys
            | Self::ConsumerGroups => Some("name"),
            Self::Consumers | Self::BasicauthCredentials | Self::HmacauthCredentials => Some("username"),
            Self::Plugins => Some("instance_name"),
            Self::Vaults => Some("prefix"),
            Self::JwtSecrets | Self::KeyauthCredentials => Some("key"),
            Self::Oauth2Credentials => Some("client_id"),
            Self::Oauth2Tokens => Some("access_token"),
            // The endpoint key of a target is unique within its upstream only.
            Self::Targets | Self::Certificates | Self::CaCertificates | Self::Acls | Self::ConsumerGroupConsumers => {
                None
            }
        }
    }

    /// Fields beside the endpoint key that no two entities of the kind may share.
    pub(crate) const fn also_unique(self) -> &'static [&'static str] {
        match self {
            Self::Consumers => &["custom_id"],
            Self::Oauth2Tokens => &["refresh_token"],
            _ => &[],
        }
    }

    /// Fields whose values together no two entities of the kind may share.
    pub(crate) const fn unique_together(self) -> &'static [&'static str] {
        match self {
            Self::Plugins => &["name", "route", "service", "consumer", "consumer_group"],
            Self::Targets => &["upstream", "target"],
            Self::Acls => &["consumer", "group"],
            Self::Keys => &["kid", "set"],
            Self::ConsumerGroupConsumers => &["consumer", "consumer_group"],
            _ => &[],
        }
    }

    /// Its fields that name other entities.
    #[must_use]
    pub const fn foreigns(self) -> &'static [Foreign] {
        match self {
            Self::Services | Self::Upstreams => &[Foreign { field: "client_certificate", of: Self::Certificates }],
            Self::Routes => &[Foreign { field: "service", of: Self::Services }],
            Self::Targets => &[Foreign { field: "upstream", of: Self::Upstreams }],
            Self::Plugins => &[
                Foreign { field: "route", of: Self::Routes },
                Foreign { field: "service", of: Self::Services },
                Foreign { field: "consumer", of: Self::Consumers },
                Foreign { field: "consumer_group", of: Self::ConsumerGroups },
            ],
            Self::Snis => &[Foreign { field: "certificate", of: Self::Certificates }],
            Self::Keys => &[Foreign { field: "set", of: Self::KeySets }],
            Self::KeyauthCredentials
            | Self::BasicauthCredentials
            | Self::HmacauthCredentials
            | Self::JwtSecrets
            | Self::Acls
            | Self::Oauth2Credentials => &[Foreign { field: "consumer", of: Self::Consumers }],
            Self::ConsumerGroupConsumers => &[
                Foreign { field: "consumer", of: Self::Consumers },
                Foreign { field: "consumer_group", of: Self::ConsumerGroups },
            ],
            Self::Oauth2Tokens => &[
                Foreign { field: "credential", of: Self::Oauth2Credentials },
                Foreign { field: "service", of: Self::Services },
            ],
            Self::Consumers
            | Self::ConsumerGroups
            | Self::Certificates
            | Self::CaCertificates
            | Self::Vaults
            | Self::KeySets => &[],
        }
    }

    /// Whether an entity whose field of this name refers to another keeps that from being deleted. It
    /// goes with it otherwise.
    pub(crate) fn holds(self, field: &str) -> bool {
        matches!((self, field), (Self::Routes, "service") | (Self::Services | Self::Upstreams, "client_certificate"))
    }

    /// The field of `self` that names its parent, if entities of this kind may be nested in `parent`.
    pub(super) fn nests_in(self, parent: Self) -> Option<&'static str> {
        self.foreigns().iter().find(|foreign| foreign.of == parent).map(|foreign| foreign.field)
    }

    /// How ids are made. The rules are Kong's, so that ids stay what they were there; where Kong
    /// draws lots (certificates, entities without a name, credentials with a generated key) ours
    /// are made from what there is, so that a reload changes nothing.
    pub(super) const fn id_rule(self) -> IdRule {
        match self {
            Self::Services | Self::Routes | Self::Upstreams | Self::Snis | Self::KeySets | Self::ConsumerGroups => {
                IdRule::Key("name")
            }
            Self::Consumers => IdRule::Key("username"),
            Self::KeyauthCredentials | Self::JwtSecrets => IdRule::Key("key"),
            Self::Oauth2Credentials => IdRule::Key("client_id"),
            Self::Oauth2Tokens => IdRule::Key("access_token"),
            Self::Plugins => {
                IdRule::Cache(&[("name", true), ("route", false), ("service", false), ("consumer", false)])
            }
            Self::Targets => IdRule::Cache(&[("upstream", true), ("target", true)]),
            Self::Vaults => IdRule::Cache(&[("prefix", true)]),
            Self::Keys => IdRule::Cache(&[("kid", true), ("set", false)]),
            Self::Acls => IdRule::Cache(&[("consumer", true), ("group", true)]),
            Self::BasicauthCredentials | Self::HmacauthCredentials => IdRule::Cache(&[("username", true)]),
            Self::ConsumerGroupConsumers => IdRule::Cache(&[("consumer", true), ("consumer_group", true)]),
            Self::Certificates | Self::CaCertificates => IdRule::Content,
        }
    }

    /// A field that gets a random text when it is not given.
    pub(crate) const fn random_field(self) -> &'static [&'static str] {
        match self {
            Self::KeyauthCredentials => &["key"],
            Self::JwtSecrets => &["key", "secret"],
            Self::HmacauthCredentials => &["secret"],
            Self::Oauth2Credentials => &["client_id", "client_secret"],
            Self::Oauth2Tokens => &["access_token"],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use towergate_schema::Kind as Shape;

    use super::*;
    use crate::entities::record;

    #[test]
    fn what_is_unique_is_what_the_schemas_say() {
        // The digest of a CA certificate is not compared: the same certificate twice harms nobody.
        for kind in Kind::ALL.into_iter().filter(|kind| !matches!(kind, Kind::CaCertificates)) {
            let said = record(kind).fields().filter(|(_, field)| field.unique).map(|(name, _)| name);
            let kept = kind.endpoint_key().into_iter().chain(kind.also_unique().iter().copied());
            assert_eq!(said.collect::<BTreeSet<_>>(), kept.collect::<BTreeSet<_>>(), "{kind:?}");
        }
    }

    #[test]
    fn references_lead_where_the_schemas_say() {
        for kind in Kind::ALL {
            let said = record(kind).fields().filter_map(|(name, field)| match field.kind {
                Shape::Foreign(collection) => Some((name, collection)),
                _ => None,
            });
            let kept = kind.foreigns().iter().map(|foreign| (foreign.field, foreign.of.name()));
            assert_eq!(said.collect::<BTreeSet<_>>(), kept.collect::<BTreeSet<_>>(), "{kind:?}");
        }
    }

    #[test]
    fn all_comes_in_the_order_of_references() {
        for (position, kind) in Kind::ALL.iter().enumerate() {
            for foreign in kind.foreigns() {
                assert!(Kind::ALL[..position].contains(&foreign.of), "{kind:?} before {:?}", foreign.of);
            }
        }
    }
}
