//! Entities in memory under a version, with the changes that led to it.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use towergate_config::Kind;
use uuid::Uuid;

use crate::{Change, Changes, Commit, CommitError, Entity, News, Snapshot, Version};

/// A commit of more entities than this is told as a whole: following it change by change is no faster.
pub(crate) const TOLD: usize = 1_000;

/// Changes are told as such for so many versions.
pub(crate) const REMEMBERED: u64 = 10_000;

/// Entities in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    version: Version,
    hash: Option<String>,
    entities: BTreeMap<(Kind, Uuid), Value>,
    /// The version at which each entity last changed, deleted ones included.
    changed: HashMap<(Kind, Uuid), Version>,
    /// Changes after this version are all known.
    known_after: Version,
}

impl Held {
    pub(crate) fn of(snapshot: Snapshot) -> Self {
        let Snapshot { version, hash, entities } = snapshot;
        let entities = entities.into_iter().map(|entity| ((entity.kind, entity.id), entity.value)).collect();
        Self { version, hash, entities, changed: HashMap::new(), known_after: version }
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn hash(&self) -> Option<&str> {
        self.hash.as_deref()
    }

    /// All entities, those of a kind together.
    pub(crate) fn entities(&self) -> impl Iterator<Item = (Kind, Uuid, &Value)> {
        self.entities.iter().map(|(&(kind, id), value)| (kind, id, value))
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let entity = |(&(kind, id), value): (&(Kind, Uuid), &Value)| Entity { kind, id, value: value.clone() };
        let mut entities: Vec<_> = self.entities.iter().map(entity).collect();
        entities.sort_by_key(Entity::place);
        Snapshot { version: self.version, hash: self.hash.clone(), entities }
    }

    pub(crate) fn since(&self, version: Version) -> News {
        if version < self.known_after || version > self.version {
            return News::Everything(self.snapshot());
        }
        let later = self.changed.iter().filter(|(_, at)| **at > version);
        let change = |(&(kind, id), _)| Change { kind, id, entity: self.entities.get(&(kind, id)).cloned() };
        let mut changes: Vec<_> = later.map(change).collect();
        changes.sort_by_key(Change::place);
        News::Changes { version: self.version, changes }
    }

    /// What it is after a commit.
    pub(crate) fn after(&self, commit: Commit) -> Result<Self, CommitError> {
        if commit.seen != self.version {
            return Err(CommitError::Conflict);
        }
        let version = self.version.next();
        Ok(match commit.changes {
            Changes::All(entities) => Self::of(Snapshot { version, hash: commit.hash, entities }),
            Changes::Some(changes) => {
                let mut next = Self { version, hash: commit.hash, ..self.clone() };
                next.take(changes);
                next
            }
        })
    }

    fn take(&mut self, changes: Vec<Change>) {
        if changes.len() > TOLD {
            self.known_after = self.version;
            self.changed.clear();
        }
        let told = self.known_after < self.version;
        for Change { kind, id, entity } in changes {
            match entity {
                Some(value) => self.entities.insert((kind, id), value),
                None => self.entities.remove(&(kind, id)),
            };
            if told {
                self.changed.insert((kind, id), self.version);
            }
        }
        self.forget();
    }

    /// Forgets changes of long ago.
    fn forget(&mut self) {
        let oldest = Version(self.version.0.saturating_sub(REMEMBERED));
        if self.known_after < oldest {
            self.known_after = oldest;
            self.changed.retain(|_, at| *at > oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_changed_long_ago_is_told_as_everything() {
        let id = Uuid::from_u128(1);
        let change =
            |seen: u64| Commit::of(Version(seen), vec![Change::put(Kind::Consumers, id, json!({ "at": seen }))]);
        let mut held = Held::default();
        for seen in 0..REMEMBERED + 5 {
            held = held.after(change(seen)).unwrap();
        }
        let changes = vec![Change::put(Kind::Consumers, id, json!({ "at": REMEMBERED + 4 }))];
        let version = Version(REMEMBERED + 5);
        assert_eq!(held.since(Version(5)), News::Changes { version, changes });
        assert_eq!(held.since(Version(4)), News::Everything(held.snapshot()));
    }
}
