//! Which certificate is shown for which server name.

use std::{collections::HashMap, fmt, sync::Arc};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::identity::Identities;

/// The certificates of one configuration: looked up by server name in a few steps, however many there are.
#[derive(Debug, Clone, Default)]
pub struct Certificates {
    names: HashMap<Box<str>, Identities>,
    default: Identities,
}

impl Certificates {
    /// No names yet: everybody is shown the default.
    #[must_use]
    pub fn new(default: Identities) -> Self {
        Self { names: HashMap::new(), default }
    }

    /// Shows these for a name: an exact one, `*.example.com` for one more label on the left,
    /// `example.*` for one on the right, or `*` for every client that names a server at all.
    /// Letter case does not matter.
    pub fn insert(&mut self, name: &str, identities: Identities) {
        self.names.insert(name.trim_end_matches('.').to_ascii_lowercase().into(), identities);
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What is shown to a client that asks for this name, or names none: what is there for the exact
    /// name, for `*.` and the rest, for all but the last label and `.*`, for `*`, or else the default.
    #[must_use]
    pub fn find(&self, server_name: Option<&str>) -> &Identities {
        server_name.and_then(|name| self.find_named(name)).unwrap_or(&self.default)
    }

    fn find_named(&self, name: &str) -> Option<&Identities> {
        if self.names.is_empty() {
            return None;
        }
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let exact = self.names.get(name.as_str());
        let left = || self.names.get(format!("*.{}", name.split_once('.')?.1).as_str());
        let right = || self.names.get(format!("{}.*", name.rsplit_once('.')?.0).as_str());
        exact.or_else(left).or_else(right).or_else(|| self.names.get("*"))
    }
}

/// Where the newest certificates are. Asked once in every handshake.
pub trait CertificateSource: Send + Sync + 'static {
    /// Looks at the newest certificates.
    fn look(&self, use_them: &mut dyn FnMut(&Certificates));
}

impl CertificateSource for Arc<Certificates> {
    fn look(&self, use_them: &mut dyn FnMut(&Certificates)) {
        use_them(self);
    }
}

/// Answers rustls from a source.
pub(crate) struct Resolver<S>(pub(crate) S);

impl<S: CertificateSource> ResolvesServerCert for Resolver<S> {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut found = None;
        self.0.look(&mut |certificates| {
            let identities = certificates.find(hello.server_name());
            found = identities.choose(hello.signature_schemes()).map(|identity| identity.certified_key().clone());
        });
        found
    }
}

impl<S> fmt::Debug for Resolver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::Identity;

    fn some() -> Identities {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        Identity::from_pem(&certificate.pem(), &key.serialize_pem()).unwrap().into()
    }

    #[test]
    fn exact_then_left_then_right_then_any_then_default() {
        let names = ["a.example.com", "*.example.com", "a.example.*", "*", "b.example.*", "UPPER.Test.", "*.local"];
        let mut certificates = Certificates::new(some());
        let shown: Vec<_> = names.iter().map(|name| (*name, some())).collect();
        for (name, identities) in &shown {
            certificates.insert(name, identities.clone());
        }
        let found = |name: Option<&str>| {
            let found = certificates.find(name).iter().next().unwrap().certified_key();
            let named = shown.iter().find(|(_, some)| Arc::ptr_eq(some.iter().next().unwrap().certified_key(), found));
            named.map_or("default", |(name, _)| name)
        };
        for (name, expected) in [
            (Some("a.example.com"), "a.example.com"),
            (Some("A.Example.COM"), "a.example.com"),
            (Some("a.example.com."), "a.example.com"),
            (Some("b.example.com"), "*.example.com"),
            (Some("c.b.example.com"), "*"),
            (Some("example.com"), "*"),
            (Some("a.example.org"), "a.example.*"),
            (Some("b.example.org"), "b.example.*"),
            (Some("upper.test"), "UPPER.Test."),
            (Some("x.local"), "*.local"),
            (Some("local"), "*"),
            (Some(""), "*"),
            (None, "default"),
        ] {
            assert_eq!(found(name), expected, "{name:?}");
        }
        assert_eq!(certificates.len(), names.len());
    }
}
