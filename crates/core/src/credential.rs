//! What a plugin makes of the credentials that configuration holds.

use std::{any::Any, fmt, sync::Arc};

use uuid::Uuid;

use crate::plugin::PluginError;

/// What a plugin keeps with a credential beside the text it is found by; `None` for nothing.
pub type Secret = Option<Kept>;

/// What a plugin keeps with a credential.
#[derive(Clone)]
pub enum Kept {
    /// A digest of 160 bits. It stands with the credential itself: of a million credentials hardly one is in the processor's
    /// caches, and what stands elsewhere takes one more read of memory.
    Digest([u8; 20]),
    /// Something of the plugin's own.
    Value(Arc<dyn Any + Send + Sync>),
}

impl Kept {
    /// Keeps something of the plugin's own.
    pub fn new(value: impl Any + Send + Sync) -> Self {
        Self::Value(Arc::new(value))
    }

    /// What is the plugin's own, if it is of this type.
    pub fn downcast_ref<T: Any>(&self) -> Option<&T> {
        match self {
            Self::Digest(_) => None,
            Self::Value(value) => value.downcast_ref(),
        }
    }
}

// Written out because it is nobody's business.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

/// The credentials a plugin looks up: what they are called, and what it makes of each one, once per
/// configuration.
#[derive(Debug, Clone, Copy)]
pub struct CredentialKind {
    /// What [`Directory::credential`](crate::Directory::credential) calls them: the plugin's name.
    pub name: &'static str,
    /// The collection of configuration they stand in (`jwt_secrets`).
    pub collection: &'static str,
    /// The field they are found by (`key`, `username`).
    pub found_by: &'static str,
    /// What is kept with one of them. Called when it is read, to find out what is wrong with it, and
    /// again when it is put in force. Pure, and quick: there may be a million.
    pub prepare: fn(&Written<'_>) -> Result<Secret, PluginError>,
}

impl CredentialKind {
    /// Credentials with which nothing is kept: knowing the text they are found by is the proof.
    pub const fn keys(name: &'static str, collection: &'static str) -> Self {
        Self { name, collection, found_by: "key", prepare: |_| Ok(None) }
    }
}

/// A credential as it stands in the configuration.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub consumer: Uuid,
    /// Whether its secrets are hashed already (`_transform: false`).
    pub hashed: bool,
    /// The text of a field by Kong's name of it.
    pub field: &'a dyn Fn(&str) -> Option<&'a str>,
}

impl<'a> Written<'a> {
    /// The text of a field by Kong's name of it; `None` if there is none.
    pub fn text(&self, field: &str) -> Option<&'a str> {
        (self.field)(field)
    }
}

// Written out because what stands in the fields is nobody's business.
impl fmt::Debug for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").field("id", &self.id).field("consumer", &self.consumer).finish_non_exhaustive()
    }
}
