//! A configuration made ready for look-ups.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use uuid::Uuid;

use crate::config::Config;
use crate::declarative::Kind;
use crate::edit::Named;
use crate::entities::Entity;

/// A configuration whose entities can be found by id and by name, and listed in the order of their
/// ids. Each kind is sorted when it is first asked about.
#[derive(Debug)]
pub struct Index {
    config: Arc<Config>,
    kinds: [OnceLock<Arc<Sorted>>; Kind::ALL.len()],
}

/// Places in the list of a kind.
#[derive(Debug)]
struct Sorted {
    by_id: Box<[(Uuid, usize)]>,
    by_key: HashMap<Box<str>, usize>,
}

impl Index {
    /// Of this configuration.
    #[must_use]
    pub fn new(config: Arc<Config>) -> Self {
        Self { config, kinds: Default::default() }
    }

    /// Of a configuration that follows on this one: kinds of which nothing has changed are not sorted again.
    #[must_use]
    pub fn renewed(&self, config: Arc<Config>) -> Self {
        let next = Self::new(config);
        for ((kind, known), cell) in Kind::ALL.iter().zip(&self.kinds).zip(&next.kinds) {
            if let Some(sorted) = known.get().filter(|_| next.config.is_same(*kind, &self.config)) {
                let _ = cell.set(sorted.clone());
            }
        }
        next
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The entity that is meant.
    #[must_use]
    pub fn find(&self, kind: Kind, named: &Named) -> Option<&dyn Entity> {
        let sorted = self.sorted(kind)?;
        let position = match named {
            Named::Id(id) => {
                let place = sorted.by_id.binary_search_by_key(id, |(id, _)| *id).ok()?;
                sorted.by_id.get(place)?.1
            }
            Named::Key(key) => *sorted.by_key.get(key.as_str())?,
        };
        self.config.at(kind, position)
    }

    /// The entities of a kind in the order of their ids, from the first or from the one after `last`.
    pub fn after(&self, kind: Kind, last: Option<Uuid>) -> impl Iterator<Item = &dyn Entity> {
        let sorted = self.sorted(kind).map_or(&[][..], |sorted| &sorted.by_id);
        let start = last.map_or(0, |last| sorted.partition_point(|(id, _)| *id <= last));
        let places = sorted.get(start..).unwrap_or_default();
        places.iter().filter_map(move |(_, position)| self.config.at(kind, *position))
    }

    fn sorted(&self, kind: Kind) -> Option<&Sorted> {
        let cell = self.kinds.get(kind.position())?;
        Some(cell.get_or_init(|| Arc::new(Sorted::of(&self.config, kind))))
    }
}

impl Sorted {
    fn of(config: &Config, kind: Kind) -> Self {
        let mut by_id: Vec<_> =
            config.iter(kind).enumerate().map(|(position, entity)| (entity.id(), position)).collect();
        by_id.sort_unstable();
        let key = |entity: &dyn Entity| kind.endpoint_key().and_then(|field| entity.text(field).map(Box::from));
        let by_key = config.iter(kind).enumerate().filter_map(|(position, entity)| Some((key(entity)?, position)));
        Self { by_id: by_id.into(), by_key: by_key.collect() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::AnyEntity;

    #[test]
    fn what_did_not_change_is_not_sorted_again() {
        let consumer = |name: &str| {
            let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
            let fields = json!({"id": id, "username": name, "created_at": 0, "updated_at": 0});
            AnyEntity::of(Kind::Consumers, fields).unwrap()
        };
        let mut config = Config::empty();
        config.put(consumer("a"));
        let first = Index::new(Arc::new(config.clone()));
        assert!(first.find(Kind::Consumers, &Named::new("a")).is_some());
        assert!(first.find(Kind::Routes, &Named::new("a")).is_none());
        config.put(consumer("b"));
        let second = first.renewed(Arc::new(config));
        assert!(second.find(Kind::Consumers, &Named::new("b")).is_some());
        let place = Kind::Routes.position();
        assert!(Arc::ptr_eq(first.kinds[place].get().unwrap(), second.kinds[place].get().unwrap()));
    }
}
