//! Older or shorter spellings of fields.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use crate::{complete, field::Field, lua, path::Trail, problem::Problem};

/// Turns the value of a shorthand into fields of the record, or says what is wrong with it.
pub type Expand = Arc<dyn Fn(Value) -> Result<Map<String, Value>, String> + Send + Sync>;

/// A name that is accepted beside the fields and turned into them.
#[derive(Clone)]
pub struct Shorthand {
    /// The name.
    pub name: String,
    /// What may be written for it.
    pub field: Field,
    /// What becomes of it.
    pub target: Target,
}

/// What becomes of a shorthand.
#[derive(Clone)]
pub enum Target {
    /// An old name: the value moves to this dotted path, unless the new field is given too. Both are fine when equal.
    Moved(String),
    /// A short form: the function's fields replace those that are given.
    Expanded(Expand),
}

impl Shorthand {
    /// An old name of the field at a dotted path.
    #[must_use]
    pub fn moved(name: impl Into<String>, path: impl Into<String>, field: Field) -> Self {
        Self { name: name.into(), field: field.nullable(), target: Target::Moved(path.into()) }
    }

    /// A short form of several fields.
    #[must_use]
    pub fn expanded(
        name: impl Into<String>,
        field: Field,
        expand: impl Fn(Value) -> Result<Map<String, Value>, String> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), field: field.nullable(), target: Target::Expanded(Arc::new(expand)) }
    }

    /// Replaces the shorthand in a record by what it stands for. With a problem, the record stays as it is.
    pub(crate) fn apply(&self, map: &mut Map<String, Value>, trail: Trail<'_>, problems: &mut Vec<Problem>) {
        let Some(mut value) = map.get(&self.name).cloned() else {
            return;
        };
        let trail = trail.key(&self.name);
        let before = problems.len();
        complete::value(&self.field, &mut value, trail, problems);
        if problems.len() > before {
            return;
        }
        let expanded = match &self.target {
            _ if value.is_null() => Ok(()),
            Target::Moved(path) => move_to(map, path, value, &self.name),
            Target::Expanded(expand) => expand(value).map(|fields| merge(map, fields)),
        };
        match expanded {
            Ok(()) => drop(map.shift_remove(&self.name)),
            Err(message) => problems.push(Problem::new(trail.path(), message)),
        }
    }
}

fn move_to(map: &mut Map<String, Value>, path: &str, value: Value, old: &str) -> Result<(), String> {
    let mut place = map;
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        if names.peek().is_none() {
            return match place.get(name) {
                Some(new) if !new.is_null() && !lua::same(new, &value) => Err(mismatch(old, &value, path, new)),
                _ => {
                    place.insert(name.to_owned(), value);
                    Ok(())
                }
            };
        }
        let inner = place.entry(name).or_insert(Value::Null);
        if inner.is_null() {
            *inner = Value::Object(Map::new());
        }
        match inner {
            Value::Object(inner) => place = inner,
            // not a record: that is reported where it stands
            _ => return Ok(()),
        }
    }
    Ok(())
}

fn mismatch(old: &str, old_value: &Value, new: &str, new_value: &Value) -> String {
    let (old_value, new_value) = (lua::text(old_value), lua::text(new_value));
    format!(
        "both deprecated and new field are used but their values mismatch: {old} = {old_value} vs {new} = {new_value}"
    )
}

fn merge(map: &mut Map<String, Value>, fields: Map<String, Value>) {
    for (name, value) in fields {
        match (map.get_mut(&name), value) {
            (Some(Value::Object(inner)), Value::Object(fields)) => merge(inner, fields),
            (Some(place), value) => *place = value,
            (None, value) => drop(map.insert(name, value)),
        }
    }
}

impl fmt::Debug for Shorthand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Moved(path) => write!(f, "{} -> {path}", self.name),
            Target::Expanded(_) => write!(f, "{} -> expanded", self.name),
        }
    }
}
