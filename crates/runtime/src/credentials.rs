//! Credentials as plugins see them: as read, and as they are put in force.

use serde_json::{Map, Value};
use towergate_config::{
    Config, List,
    entities::{BasicauthCredential, HmacauthCredential, JwtSecret, KeyauthCredential},
};
use towergate_core::{CredentialKind, DirectoryBuilder, PluginError, Secret, Written};
use uuid::Uuid;

use crate::problem::CompileProblem;

/// Finds out what the plugin of this kind finds wrong with a credential that was just read.
///
/// # Errors
/// The field and what is wrong with it.
pub(crate) fn check(kind: &CredentialKind, credential: &Map<String, Value>) -> Result<(), (String, String)> {
    let field = |name: &str| credential.get(name).and_then(Value::as_str);
    let id = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or_default();
    let consumer = credential.get("consumer").and_then(|consumer| consumer.get("id")).and_then(Value::as_str);
    // Whether it is hashed is not known here, and does not make it right or wrong.
    let written = Written { id: id(field("id")), consumer: id(consumer), hashed: true, field: &field };
    prepare(kind, &written).map(drop).map_err(|error| (error.field().to_owned(), error.message().to_owned()))
}

/// Adds the credentials of this kind to the directory.
pub(crate) fn add(
    kind: &CredentialKind,
    config: &Config,
    directory: &mut DirectoryBuilder,
    problems: &mut Vec<CompileProblem>,
) {
    let mut adding = Adding { kind, hashed: !config.transform, directory, problems };
    match kind.collection {
        "keyauth_credentials" => adding.all(&config.keyauth_credentials),
        "basicauth_credentials" => adding.all(&config.basicauth_credentials),
        "hmacauth_credentials" => adding.all(&config.hmacauth_credentials),
        "jwt_secrets" => adding.all(&config.jwt_secrets),
        _ => {}
    }
}

struct Adding<'a> {
    kind: &'a CredentialKind,
    hashed: bool,
    directory: &'a mut DirectoryBuilder,
    problems: &'a mut Vec<CompileProblem>,
}

impl Adding<'_> {
    fn all<C: Credential>(&mut self, credentials: &List<C>) {
        for credential in credentials {
            let field = |name: &str| credential.field(name);
            let (id, consumer) = (credential.id(), credential.consumer());
            let written = Written { id, consumer, hashed: self.hashed, field: &field };
            match prepare(self.kind, &written) {
                Ok((key, secret)) => {
                    self.directory.add_credential(self.kind.name, id, consumer, key, secret, credential.expires());
                }
                Err(error) => {
                    let (collection, message) = (self.kind.collection, error.message());
                    self.problems.push(CompileProblem::new(collection, id, None, error.field(), message));
                }
            }
        }
    }
}

/// The text a credential is found by, and what is kept with it.
fn prepare<'a>(kind: &CredentialKind, written: &Written<'a>) -> Result<(&'a str, Secret), PluginError> {
    let key = written.text(kind.found_by).unwrap_or_default();
    Ok((key, (kind.prepare)(written)?))
}

/// A credential of the configuration.
trait Credential {
    fn id(&self) -> Uuid;
    fn consumer(&self) -> Uuid;
    fn field(&self, name: &str) -> Option<&str>;

    /// When it ends, in seconds since 1970.
    fn expires(&self) -> Option<u64> {
        None
    }
}

impl Credential for KeyauthCredential {
    fn id(&self) -> Uuid {
        self.id
    }

    fn consumer(&self) -> Uuid {
        self.consumer
    }

    fn field(&self, name: &str) -> Option<&str> {
        (name == "key").then_some(&*self.key)
    }

    /// A key's `ttl` counts from its creation. (Kong takes a declared ttl for a moment long past and
    /// refuses such keys always; nobody relies on that.)
    fn expires(&self) -> Option<u64> {
        let ttl = self.ttl.filter(|ttl| *ttl > 0.0)?;
        // The schema refuses moments before 1970.
        let created = u64::try_from(self.created_at).unwrap_or(0);
        // A float beyond the range of seconds becomes the largest number of them.
        Some(created.saturating_add(ttl.ceil() as u64))
    }
}

impl Credential for BasicauthCredential {
    fn id(&self) -> Uuid {
        self.id
    }

    fn consumer(&self) -> Uuid {
        self.consumer
    }

    fn field(&self, name: &str) -> Option<&str> {
        match name {
            "username" => Some(&self.username),
            "password" => Some(&self.password),
            _ => None,
        }
    }
}

impl Credential for HmacauthCredential {
    fn id(&self) -> Uuid {
        self.id
    }

    fn consumer(&self) -> Uuid {
        self.consumer
    }

    fn field(&self, name: &str) -> Option<&str> {
        match name {
            "username" => Some(&self.username),
            "secret" => Some(&self.secret),
            _ => None,
        }
    }
}

impl Credential for JwtSecret {
    fn id(&self) -> Uuid {
        self.id
    }

    fn consumer(&self) -> Uuid {
        self.consumer
    }

    fn field(&self, name: &str) -> Option<&str> {
        match name {
            "key" => Some(&self.key),
            "secret" => Some(&self.secret),
            "rsa_public_key" => self.rsa_public_key.as_deref(),
            "algorithm" => self.algorithm.map(|algorithm| algorithm.name()),
            _ => None,
        }
    }
}
