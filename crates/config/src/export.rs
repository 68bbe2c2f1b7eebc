//! The configuration as text again: for `GET /config`, and the answer to `POST /config`.

use serde_json::{Map, Value};

use crate::config::Config;
use crate::declarative::Kind;
use crate::yaml_text;

impl Config {
    /// The configuration in the flat declarative form: references by id, nothing that is null.
    /// Loading it again gives the same entities.
    #[must_use]
    pub fn to_declarative(&self) -> Value {
        let mut document = Map::new();
        document.insert("_format_version".to_owned(), "3.0".into());
        document.insert("_transform".to_owned(), self.transform.into());
        for kind in Kind::ALL.into_iter().filter(|kind| self.count(*kind) > 0) {
            let entities = self.entities(kind).map(|(_, entity)| flat(kind, entity)).collect();
            document.insert(kind.name().to_owned(), Value::Array(entities));
        }
        Value::Object(document)
    }

    /// [`Config::to_declarative`] as YAML.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        yaml_text::dump(&self.to_declarative())
    }

    /// All entities under their collection and id, with all fields: the body of the 201 that
    /// answers `POST /config`.
    #[must_use]
    pub fn entities_json(&self) -> Value {
        let mut all = Map::new();
        for kind in Kind::ALL.into_iter().filter(|kind| self.count(*kind) > 0) {
            let entities = self.entities(kind).map(|(id, entity)| (id.to_string(), entity)).collect();
            all.insert(kind.name().to_owned(), Value::Object(entities));
        }
        Value::Object(all)
    }
}

/// References as plain ids, and without null.
fn flat(kind: Kind, mut entity: Value) -> Value {
    if let Some(fields) = entity.as_object_mut() {
        for foreign in kind.foreigns() {
            if let Some(id) = fields.get_mut(foreign.field).and_then(|link| link.get_mut("id")).map(Value::take) {
                fields.insert(foreign.field.to_owned(), id);
            }
        }
    }
    remove_nulls(&mut entity);
    entity
}

fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(remove_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}
