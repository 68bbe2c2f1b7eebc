//! Entities that were accepted before and kept: a configuration again, with what has changed since.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Catalog, Kind, Loaded, parse_value};
use crate::{config::Config, report::Report};

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

impl Config {
    /// This configuration after some of its entities have changed; `None` deletes one.
    ///
    /// # Errors
    /// As [`parse_entities`].
    pub fn changed(
        &self,
        changes: impl IntoIterator<Item = (Kind, Uuid, Option<Value>)>,
        catalog: &dyn Catalog,
    ) -> Result<Loaded, Report> {
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
