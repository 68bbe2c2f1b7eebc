//! Entities that were accepted before and kept: a configuration again, with what has changed since.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Catalog, Kind, Loaded, Options, parse_value};
use crate::{config::Config, edit::Restore, report::Report};

/// The configuration of these entities, each as JSON with all its fields ([`Config::entities`]).
///
/// They are checked like what is written by hand: another version of the gateway may have kept them,
/// and plugins and secrets may be others on this node. What has become hashed is not hashed again.
///
/// # Errors
/// A [`Report`] of all problems, without lines and columns.
pub fn parse_entities(
    entities: impl IntoIterator<Item = (Kind, Value)>,
    catalog: &dyn Catalog,
) -> Result<Loaded, Report> {
    let mut document = Map::new();
    document.insert("_format_version".to_owned(), "3.0".into());
    document.insert("_transform".to_owned(), false.into());
    for (kind, entity) in entities {
        if let Some(all) = document.entry(kind.name()).or_insert_with(|| json!([])).as_array_mut() {
            all.push(entity);
        }
    }
    let mut loaded = parse_value(&Value::Object(document), catalog)?;
    loaded.config.transform = loaded.config.basicauth_credentials.is_empty();
    Ok(loaded)
}

/// More changes than this are read with everything else: that is no slower then.
const FEW: usize = 200;

type Change = (Kind, Uuid, Option<Value>);

impl Config {
    /// This configuration after some of its entities have changed; `None` deletes one. Whoever kept
    /// them has checked that they go together with the rest.
    ///
    /// # Errors
    /// As [`parse_entities`].
    pub fn changed(&self, changes: impl IntoIterator<Item = Change>, catalog: &dyn Catalog) -> Result<Loaded, Report> {
        let changes: Vec<_> = changes.into_iter().collect();
        match self.with_few(&changes, catalog) {
            Some(config) => Ok(Loaded { config, warnings: Vec::new() }),
            None => self.checked_again(changes, catalog),
        }
    }

    /// Only what has changed is looked at. None if there is much of it, or something is wrong.
    fn with_few(&self, changes: &[Change], catalog: &dyn Catalog) -> Option<Self> {
        if changes.len() > FEW {
            return None;
        }
        let options = Options::default();
        let (mut restore, mut next) = (Restore::new(catalog, &options), self.clone());
        for (kind, id, entity) in changes {
            match entity {
                Some(kept) => next.put(restore.entity(*kind, kept.clone()).ok()?),
                None => drop(next.remove(*kind, *id)),
            }
        }
        next.transform = next.basicauth_credentials.is_empty();
        changes.iter().all(|change| next.is_linked(change)).then_some(next)
    }

    /// Whether an entity that was changed names only what is there, and nobody names one that is gone.
    fn is_linked(&self, (kind, id, entity): &Change) -> bool {
        if entity.is_some() {
            let Some(entity) = self.by_id(*kind, *id) else { return false };
            let mut links =
                kind.foreigns().iter().filter_map(|foreign| Some((foreign.of, entity.link(foreign.field)?)));
            return links.all(|(of, id)| self.by_id(of, id).is_some());
        }
        Kind::ALL.into_iter().all(|child| {
            let mut fields = child.foreigns().iter().filter(|foreign| foreign.of == *kind);
            fields.all(|foreign| self.iter(child).all(|entity| entity.link(foreign.field) != Some(*id)))
        })
    }

    fn checked_again(&self, changes: Vec<Change>, catalog: &dyn Catalog) -> Result<Loaded, Report> {
        let mut changes: HashMap<_, _> = changes.into_iter().map(|(kind, id, entity)| ((kind, id), entity)).collect();
        let mut entities = Vec::new();
        for kind in Kind::ALL {
            for (id, entity) in self.entities(kind) {
                let next = changes.remove(&(kind, id)).unwrap_or(Some(entity));
                entities.extend(next.map(|entity| (kind, entity)));
            }
        }
        let new = changes.into_iter().filter_map(|((kind, _), entity)| Some((kind, entity?)));
        parse_entities(entities.into_iter().chain(new), catalog)
    }
}
