//! From certificates as written to what is shown in handshakes.

use std::collections::HashMap;

use towergate_config::{Config, entities::Certificate};
use towergate_tls::{Certificates, Identities, Identity, Part, PemError};
use uuid::Uuid;

use crate::{compile::Runtime, problem::CompileProblem};

/// What is wrong with a certificate: the field, none if several do not go together, and the message.
pub(crate) type Wrong = (Option<&'static str>, String);

/// What was read of the certificates of a configuration, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Read(HashMap<Uuid, Identities>);

impl Read {
    /// Reads all certificates; what did not change since the previous configuration is not read again.
    pub(crate) fn all(config: &Config, previous: Option<&Runtime>, problems: &mut Vec<CompileProblem>) -> Self {
        let before: HashMap<_, _> = previous
            .into_iter()
            .flat_map(|runtime| runtime.config.certificates.iter().map(|entity| (entity.id, entity)))
            .collect();
        let mut read = HashMap::new();
        for entity in &config.certificates {
            let same = before.get(&entity.id).filter(|before| is_same(before.effective(), entity.effective()));
            let known = same.and_then(|_| previous?.certificates.0.get(&entity.id).cloned());
            match known.map_or_else(|| identities(entity.effective()), Ok) {
                Ok(identities) => drop(read.insert(entity.id, identities)),
                Err(wrong) => problems.extend(wrong.into_iter().map(|(field, message)| {
                    CompileProblem::new("certificates", entity.id, None, field.unwrap_or("cert"), message)
                })),
            }
        }
        Self(read)
    }

    /// Which of them are shown for which server names.
    pub(crate) fn by_name(&self, config: &Config, default: Identities) -> Certificates {
        let mut certificates = Certificates::new(default);
        for sni in &config.snis {
            if let Some(identities) = self.0.get(&sni.certificate) {
                certificates.insert(&sni.name, identities.clone());
            }
        }
        certificates
    }
}

fn is_same(one: &Certificate, other: &Certificate) -> bool {
    (&one.cert, &one.key, &one.cert_alt, &one.key_alt) == (&other.cert, &other.key, &other.cert_alt, &other.key_alt)
}

/// The certificate and the alternative one with their keys.
///
/// # Errors
/// All that is wrong with them.
pub(crate) fn identities(certificate: &Certificate) -> Result<Identities, Vec<Wrong>> {
    let first = Identity::from_pem(&certificate.cert, &certificate.key).map_err(|error| wrong(&error, "cert", "key"));
    let second = match (&certificate.cert_alt, &certificate.key_alt) {
        (Some(cert), Some(key)) => Identity::from_pem(cert, key).map(Some).map_err(|error| alternative(&error)),
        _ => Ok(None),
    };
    match (first, second) {
        (Ok(first), Ok(second)) => {
            let both = Identities::new(std::iter::once(first).chain(second).collect());
            both.map_err(|error| vec![wrong(&error, "cert", "key")])
        }
        (first, second) => Err(first.err().into_iter().chain(second.err()).collect()),
    }
}

fn wrong(error: &PemError, cert: &'static str, key: &'static str) -> Wrong {
    let field = match error.part() {
        Part::Certificate => Some(cert),
        Part::Key => Some(key),
        Part::Both => None,
    };
    (field, error.to_string())
}

/// Kong's words.
fn alternative(error: &PemError) -> Wrong {
    match wrong(error, "cert_alt", "key_alt") {
        (None, message) => (None, format!("alternative {message}")),
        wrong => wrong,
    }
}
