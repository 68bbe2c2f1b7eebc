//! What every store does: hold entities under one version, take changes, tell them on.

use std::{fmt, future::Future, pin::Pin};

use serde_json::Value;
use towergate_config::Kind;
use uuid::Uuid;

use crate::{CommitError, StoreError};

/// What an asynchronous function of a [`Store`] answers.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Keeps the entities of a configuration for one node or for many.
///
/// All entities together have one [`Version`], which each commit raises by one. A writer says which
/// version it has seen: what it checked in memory (that a name is free, that a service exists) holds
/// for that version, and its changes are taken only if the store still has it.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// `off`, `sqlite` or `postgres`, as in the setting `database`.
    fn kind(&self) -> &'static str;

    /// Everything, as of now.
    fn load(&self) -> Answer<'_, Result<Snapshot, StoreError>>;

    /// What has changed after this version. The latest state of each entity is told, not the way there.
    fn since(&self, version: Version) -> Answer<'_, Result<News, StoreError>>;

    /// Takes all changes or none. Once it answers a version they outlive a crash of the process and
    /// of the machine. An error other than a conflict leaves it open whether they were taken:
    /// [`Store::since`] tells.
    fn commit(&self, commit: Commit) -> Answer<'_, Result<Version, CommitError>>;

    /// Takes these entities, and this hash, in place of all there was, as [`Store::commit`] does with
    /// [`Changes::All`]; a store that can takes them one after the other, because there may be very many.
    fn replace(&self, seen: Version, hash: String, each: Each) -> Answer<'_, Result<Version, CommitError>> {
        let mut entities = Vec::new();
        each(&mut |entity| entities.push(entity));
        self.commit(Commit::of_all(seen, entities).with_hash(hash))
    }

    /// Waits until the store has another version than this, and answers it. Nothing is lost if the
    /// future is dropped before it is done.
    fn changed(&self, since: Version) -> Answer<'_, Result<Version, StoreError>>;

    /// Whether the store answers.
    fn reachable(&self) -> Answer<'_, bool>;
}

/// Gives entities one after the other, by collection (each after those it refers to), to whoever takes them.
pub type Each = Box<dyn FnOnce(&mut dyn FnMut(Entity)) + Send>;

/// How many commits there have been. A store that was never written to has version 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u64);

impl Version {
    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An entity as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// Which collection it belongs to.
    pub kind: Kind,
    /// Its id, unique within the collection.
    pub id: Uuid,
    /// All its fields as JSON, `id` among them, those that are null too.
    pub value: Value,
}

impl Entity {
    /// What it is sorted by: each after those it may refer to.
    pub(crate) fn place(&self) -> (usize, Uuid) {
        (self.kind.position(), self.id)
    }
}

/// What becomes of an entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which collection it belongs to.
    pub kind: Kind,
    /// Its id.
    pub id: Uuid,
    /// Its new state, as in [`Entity::value`]; `None` if it is deleted.
    pub entity: Option<Value>,
}

impl Change {
    /// An entity that is new or takes the place of the one with its id.
    #[must_use]
    pub const fn put(kind: Kind, id: Uuid, entity: Value) -> Self {
        Self { kind, id, entity: Some(entity) }
    }

    /// An entity that goes.
    #[must_use]
    pub const fn delete(kind: Kind, id: Uuid) -> Self {
        Self { kind, id, entity: None }
    }

    /// What it is sorted by, as [`Entity::place`].
    pub(crate) fn place(&self) -> (usize, Uuid) {
        (self.kind.position(), self.id)
    }
}

impl From<Entity> for Change {
    fn from(Entity { kind, id, value }: Entity) -> Self {
        Self::put(kind, id, value)
    }
}

/// Changes to be taken together.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The version the writer has seen.
    pub seen: Version,
    /// What changes.
    pub changes: Changes,
    /// What the configuration is called from now on ([`Snapshot::hash`]).
    pub hash: Option<String>,
}

/// What changes.
#[derive(Clone, Debug)]
pub enum Changes {
    /// These entities. One that is deleted need not exist. Of several changes of one entity the last counts.
    Some(Vec<Change>),
    /// Everything: whatever is not among these goes.
    All(Vec<Entity>),
}

impl Commit {
    /// Changes of some entities.
    #[must_use]
    pub const fn of(seen: Version, changes: Vec<Change>) -> Self {
        Self { seen, changes: Changes::Some(changes), hash: None }
    }

    /// These entities instead of all there were.
    #[must_use]
    pub const fn of_all(seen: Version, entities: Vec<Entity>) -> Self {
        Self { seen, changes: Changes::All(entities), hash: None }
    }

    /// Keeps the hash of the text that these entities were read from, too.
    #[must_use]
    pub fn with_hash(mut self, hash: impl Into<String>) -> Self {
        self.hash = Some(hash.into());
        self
    }
}

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The version it is of.
    pub version: Version,
    /// The hash of the last commit that had one, if no commit without one came after it.
    pub hash: Option<String>,
    /// All entities, by collection (each after those it refers to) and id.
    pub entities: Vec<Entity>,
}

/// What has changed.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// These entities; none if the version is still the same.
    Changes {
        /// The version these lead to.
        version: Version,
        /// Each changed entity once.
        changes: Vec<Change>,
    },
    /// Too much, or too long ago, to tell the changes.
    Everything(Snapshot),
}
