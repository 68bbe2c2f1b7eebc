//! The table of collections. A kind of entity that gets a line here has all its endpoints: its own,
//! those under and through the entities it names, in `/endpoints` and in the OpenAPI document.

use towergate_config::Kind;

/// A collection of entities of one kind.
#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) kind: Kind,
    /// The first segment of its paths: `/key-auths`.
    pub(crate) path: &'static str,
    /// Its segment under another entity: `/consumers/{consumers}/key-auth`.
    pub(crate) nested: &'static str,
    /// Whether it has endpoints of its own, not only under others.
    pub(crate) stands_alone: bool,
    /// What one of it is called.
    pub(crate) one: &'static str,
}

const fn of(kind: Kind, path: &'static str, one: &'static str) -> Collection {
    Collection { kind, path, nested: path, stands_alone: true, one }
}

impl Collection {
    const fn nested(self, nested: &'static str) -> Self {
        Self { nested, ..self }
    }

    const fn only_nested(self) -> Self {
        Self { stands_alone: false, ..self }
    }
}

/// All collections, in the order in which the reference lists them.
pub(crate) const COLLECTIONS: &[Collection] = &[
    of(Kind::Services, "services", "service"),
    of(Kind::Routes, "routes", "route"),
    of(Kind::Consumers, "consumers", "consumer"),
    of(Kind::ConsumerGroups, "consumer_groups", "group of consumers"),
    of(Kind::Plugins, "plugins", "plugin"),
    of(Kind::Upstreams, "upstreams", "upstream"),
    of(Kind::Targets, "targets", "target").only_nested(),
    of(Kind::Certificates, "certificates", "certificate"),
    of(Kind::CaCertificates, "ca_certificates", "CA certificate"),
    of(Kind::Snis, "snis", "server name"),
    of(Kind::Vaults, "vaults", "vault"),
    of(Kind::KeySets, "key-sets", "set of keys"),
    of(Kind::Keys, "keys", "key"),
    of(Kind::KeyauthCredentials, "key-auths", "key of key-auth").nested("key-auth"),
    of(Kind::BasicauthCredentials, "basic-auths", "password of basic-auth").nested("basic-auth"),
    of(Kind::HmacauthCredentials, "hmac-auths", "secret of hmac-auth").nested("hmac-auth"),
    of(Kind::JwtSecrets, "jwts", "secret of jwt").nested("jwt"),
    of(Kind::Acls, "acls", "group of acl"),
    of(Kind::Oauth2Credentials, "oauth2", "application of oauth2"),
    of(Kind::Oauth2Tokens, "oauth2_tokens", "token of oauth2"),
];

/// The collection of a kind.
pub(crate) fn collection(kind: Kind) -> Option<&'static Collection> {
    COLLECTIONS.iter().find(|collection| collection.kind == kind)
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `/routes`
    All(Kind),
    /// `/routes/{routes}`
    One(Kind),
    /// `/services/{services}/routes`
    Children { parent: Kind, field: &'static str, kind: Kind },
    /// `/services/{services}/routes/{routes}`
    Child { parent: Kind, field: &'static str, kind: Kind },
    /// `/routes/{routes}/service`
    Linked { kind: Kind, field: &'static str, to: Kind },
}

impl Place {
    /// All places of all collections.
    pub(crate) fn all() -> Vec<Self> {
        let mut places = Vec::new();
        for Collection { kind, stands_alone, .. } in COLLECTIONS {
            let kind = *kind;
            if *stands_alone {
                places.extend([Self::All(kind), Self::One(kind)]);
            }
            for foreign in kind.foreigns().iter().filter(|foreign| collection(foreign.of).is_some()) {
                let (parent, field) = (foreign.of, foreign.field);
                // Kong switches this one off: `/certificates/{server name}` is there.
                if *stands_alone && kind != Kind::Snis {
                    places.push(Self::Linked { kind, field, to: parent });
                }
                places.extend([Self::Children { parent, field, kind }, Self::Child { parent, field, kind }]);
            }
        }
        places
    }

    /// The kind of what is read and written there.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::All(kind) | Self::One(kind) | Self::Children { kind, .. } | Self::Child { kind, .. } => kind,
            Self::Linked { to, .. } => to,
        }
    }

    /// Whether it is a list.
    pub(crate) const fn is_list(self) -> bool {
        matches!(self, Self::All(_) | Self::Children { .. })
    }

    /// Its path, with Kong's names of the parameters.
    pub(crate) fn path(self) -> String {
        let segment = |kind| collection(kind).map_or("", |collection: &Collection| collection.path);
        let nested = |kind| collection(kind).map_or("", |collection: &Collection| collection.nested);
        match self {
            Self::All(kind) => format!("/{}", segment(kind)),
            Self::One(kind) => format!("/{}/{{{}}}", segment(kind), kind.name()),
            Self::Children { parent, kind, .. } => {
                format!("/{}/{{{}}}/{}", segment(parent), parent.name(), nested(kind))
            }
            Self::Child { parent, kind, .. } => {
                format!("/{}/{{{}}}/{}/{{{}}}", segment(parent), parent.name(), nested(kind), kind.name())
            }
            Self::Linked { kind, field, .. } => format!("/{}/{{{}}}/{field}", segment(kind), kind.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn places_are_those_of_kong() {
        let places = Place::all();
        let paths: BTreeSet<_> = places.iter().map(|place| place.path()).collect();
        assert_eq!(paths.len(), places.len(), "no path is there twice");
        for path in [
            "/services",
            "/services/{services}",
            "/services/{services}/routes",
            "/services/{services}/routes/{routes}",
            "/services/{services}/plugins/{plugins}",
            "/services/{services}/client_certificate",
            "/routes/{routes}/service",
            "/consumers/{consumers}/key-auth/{keyauth_credentials}",
            "/consumers/{consumers}/acls",
            "/consumers/{consumers}/oauth2",
            "/key-auths/{keyauth_credentials}/consumer",
            "/certificates/{certificates}/snis",
            "/certificates/{certificates}/upstreams",
            "/upstreams/{upstreams}/targets/{targets}",
            "/key-sets/{key_sets}/keys",
            "/keys/{keys}/set",
            "/plugins/{plugins}/route",
            "/oauth2/{oauth2_credentials}/oauth2_tokens",
            "/oauth2_tokens/{oauth2_tokens}/credential",
            "/ca_certificates/{ca_certificates}",
            "/vaults/{vaults}",
        ] {
            assert!(paths.contains(path), "{path}");
        }
        for path in ["/targets", "/targets/{targets}/upstream", "/snis/{snis}/certificate"] {
            assert!(!paths.contains(path), "{path}");
        }
    }
}
