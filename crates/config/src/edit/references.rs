//! Whom the fields of an entity name.

use serde_json::{Map, Value, json};
use towergate_schema::{Path, Problem};
use uuid::Uuid;

use super::{Edit, Refusal, Written};
use crate::declarative::Kind;
use crate::entities::Entity;
use crate::lua_text;

impl Edit<'_> {
    /// Puts ids into the place of names: `{"name": "x"}` becomes `{"id": "…"}`.
    pub(super) fn resolve(&self, kind: Kind, written: &mut Written) -> Result<(), Refusal> {
        let mut unresolved = Map::new();
        let mut problems = Vec::new();
        for foreign in kind.foreigns() {
            let Some(reference) = written.get_mut(foreign.field) else { continue };
            match reference {
                Value::Null => {}
                Value::Object(names) if !has_id(names) => match self.named(foreign.of, names) {
                    Ok(Some(id)) => *reference = json!({ "id": id }),
                    Ok(None) => {}
                    Err(names) => drop(unresolved.insert(foreign.field.to_owned(), Value::Object(names))),
                },
                // Whatever else comes with the id does not matter.
                Value::Object(names) => names.retain(|name, _| name == "id"),
                _ => problems.push(Problem::new(Path::root().key(foreign.field).key("id"), "missing primary key")),
            }
        }
        match (problems.is_empty(), unresolved.is_empty()) {
            (false, _) => Err(Refusal::schema_violation(&problems)),
            (true, false) => Err(Refusal::unresolved(unresolved)),
            (true, true) => Ok(()),
        }
    }

    /// The entity that one of these names leads to; those that lead nowhere if none does.
    fn named(&self, kind: Kind, names: &Map<String, Value>) -> Result<Option<Uuid>, Map<String, Value>> {
        let mut astray = Map::new();
        for field in kind.endpoint_key().into_iter().chain(kind.also_unique().iter().copied()) {
            let Some(name) = names.get(field).and_then(Value::as_str) else { continue };
            match self.config.by_text(kind, field, name) {
                Some(entity) => return Ok(Some(entity.id())),
                None => drop(astray.insert(field.to_owned(), Value::String(unknown(kind, field, name)))),
            }
        }
        if astray.is_empty() { Ok(None) } else { Err(astray) }
    }

    /// Refuses an entity that names one that is not there.
    pub(super) fn check_links(&self, entity: &dyn Entity) -> Result<(), Refusal> {
        for foreign in entity.kind().foreigns() {
            if let Some(id) = entity.link(foreign.field)
                && self.config.by_id(foreign.of, id).is_none()
            {
                return Err(Refusal::no_such_reference(foreign.field, foreign.of, id));
            }
        }
        Ok(())
    }
}

/// Whether it names by id, right or wrong. What is wrong is told with everything else.
fn has_id(names: &Map<String, Value>) -> bool {
    names.get("id").is_some_and(|id| !id.is_null())
}

fn unknown(kind: Kind, field: &str, name: &str) -> String {
    let shown = lua_text::table(&json!({ field: name }));
    format!("the foreign key cannot be resolved with '{shown}' for an existing '{}' entity", kind.name())
}
