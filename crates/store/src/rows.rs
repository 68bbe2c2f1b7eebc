//! Entities as rows of a database.

use std::collections::BTreeMap;

use towergate_config::Kind;
use uuid::Uuid;

use crate::{Change, Entity, Seal, StoreError, held::TOLD};

/// An entity as a row: its secrets encrypted, if they are to be.
pub(crate) struct Row {
    pub(crate) kind: String,
    pub(crate) id: Uuid,
    /// JSON.
    pub(crate) entity: String,
    /// The name of the key that its secrets are encrypted with.
    pub(crate) key: Option<String>,
}

impl Row {
    pub(crate) fn of(mut entity: Entity, seal: &Seal) -> Result<Self, StoreError> {
        let key = seal.close(entity.kind, entity.id, &mut entity.value)?;
        Ok(Self { kind: entity.kind.name().to_owned(), id: entity.id, entity: entity.value.to_string(), key })
    }

    pub(crate) fn read(self, seal: &Seal) -> Result<Entity, StoreError> {
        let (kind, id) = (kind(&self.kind)?, self.id);
        let mut value = serde_json::from_str(&self.entity).map_err(|error| {
            StoreError::failed(format_args!("{} {id} in the store is not JSON", kind.singular()), error)
        })?;
        seal.open(kind, id, self.key.as_deref(), &mut value)?;
        Ok(Entity { kind, id, value })
    }
}

/// The kind of this name.
pub(crate) fn kind(name: &str) -> Result<Kind, StoreError> {
    Kind::named(name).ok_or_else(|| {
        let why = format!("this version of the gateway does not know '{name}'");
        StoreError::failed("the store was written by another version", why)
    })
}

/// A change from what was found at its place: an entity, or nothing.
pub(crate) fn change(
    name: String,
    id: Uuid,
    entity: Option<String>,
    key: Option<String>,
    seal: &Seal,
) -> Result<Change, StoreError> {
    match entity {
        Some(entity) => Row { kind: name, id, entity, key }.read(seal).map(Change::from),
        None => Ok(Change::delete(kind(&name)?, id)),
    }
}

/// All entities of a snapshot, in its order.
pub(crate) fn entities(rows: Vec<Row>, seal: &Seal) -> Result<Vec<Entity>, StoreError> {
    let mut entities = rows.into_iter().map(|row| row.read(seal)).collect::<Result<Vec<_>, _>>()?;
    entities.sort_by_key(Entity::place);
    Ok(entities)
}

/// Changes as rows to write and rows to delete. Each entity is in one of them, once.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) put: Vec<Row>,
    pub(crate) deleted: Vec<(String, Uuid)>,
}

impl Written {
    pub(crate) fn of(changes: Vec<Change>, seal: &Seal) -> Result<Self, StoreError> {
        let last: BTreeMap<_, _> =
            changes.into_iter().map(|change| ((change.kind, change.id), change.entity)).collect();
        let mut written = Self::default();
        for ((kind, id), entity) in last {
            match entity {
                Some(value) => written.put.push(Row::of(Entity { kind, id, value }, seal)?),
                None => written.deleted.push((kind.name().to_owned(), id)),
            }
        }
        Ok(written)
    }

    pub(crate) fn all(entities: Vec<Entity>, seal: &Seal) -> Result<Self, StoreError> {
        Self::of(entities.into_iter().map(Change::from).collect(), seal)
    }

    /// What is written and what is deleted, by name and id.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, Uuid)> {
        let put = self.put.iter().map(|row| (row.kind.as_str(), row.id));
        put.chain(self.deleted.iter().map(|(kind, id)| (kind.as_str(), *id)))
    }

    /// Whether followers are told each change.
    pub(crate) fn is_told(&self) -> bool {
        self.put.len().saturating_add(self.deleted.len()) <= TOLD
    }
}
