//! Changing entities, and showing them to old clients.

use serde_json::{Map, Value};

use crate::{
    checking::{AT_LEAST_ONE_OF, REQUIRED_FOR_CHECK},
    complete::REQUIRED,
    field::{Field, Kind},
    lua,
    path::{Path, Trail},
    problem::Problem,
    record::Record,
    shorthand::Target,
};

impl Record {
    /// A value with the fields of a change laid over it, as `PATCH` does: records are merged field by field, anything
    /// else (lists, sets, maps) is replaced as a whole, null included. What comes out is to be completed.
    #[must_use]
    pub fn merge(&self, change: &Value, present: &Value) -> Value {
        let (Value::Object(change), Value::Object(present)) = (change, present) else {
            return change.clone();
        };
        let mut merged = present.clone();
        for (name, new) in change {
            let inner = self.named(name).and_then(Field::as_record);
            let value = match (inner, present.get(name)) {
                (Some(inner), Some(old)) => inner.merge(new, old),
                _ => new.clone(),
            };
            merged.insert(name.clone(), value);
        }
        Value::Object(merged)
    }

    /// Puts old and short names of fields in a change into the place of what they stand for, so that it can be laid over
    /// an entity that has those already. What is wrong with them stays and is told later.
    pub fn expand_old_names(&self, change: &mut Value) {
        let Value::Object(map) = change else { return };
        for shorthand in self.shorthands() {
            shorthand.apply(map, Trail::ROOT, &mut Vec::new());
        }
        for (name, field) in self.fields() {
            if let (Kind::Record(inner), Some(value)) = (&field.kind, map.get_mut(name)) {
                inner.expand_old_names(value);
            }
        }
    }

    /// Completes and checks an entity with a change laid over it ([`Record::merge`]), in Kong's words for changes: a
    /// required field that was set to null is missing, whatever its default, and checks between fields begin with
    /// `when updating, `.
    pub fn complete_update(&self, value: &mut Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        set_to_null(self, value, Trail::ROOT, &mut problems);
        let nulls = problems.len();
        for mut problem in self.complete(value) {
            if problem.message.starts_with(AT_LEAST_ONE_OF) {
                problem.message.insert_str(0, "when updating, ");
            } else if problem.message == REQUIRED_FOR_CHECK {
                problem.message.push_str(" when updating");
            }
            // told already
            if problems.iter().take(nulls).all(|present| present.path != problem.path) {
                problems.push(problem);
            }
        }
        problems
    }

    /// Changes of fields that cannot be changed, given the change itself and the entity as it is.
    #[must_use]
    pub fn immutable_changes(&self, change: &Value, present: &Value) -> Vec<Problem> {
        let changed = |name: &str| match (change.get(name), present.get(name)) {
            (Some(new), Some(old)) => !old.is_null() && !lua::same(new, old),
            _ => false,
        };
        let names = self.fields().filter(|(name, field)| field.immutable && changed(name));
        names.map(|(name, _)| Problem::new(Path::root().key(name), "immutable field cannot be updated")).collect()
    }

    /// Adds the old names of fields, as Kong shows them beside the new ones for a while. For showing only: a value with
    /// both is accepted as long as they are equal.
    pub fn show_old_names(&self, value: &mut Value) {
        let Value::Object(map) = value else { return };
        for shorthand in self.shorthands() {
            if let Target::Moved(path) = &shorthand.target {
                let moved = at(map, path).cloned().unwrap_or(Value::Null);
                map.insert(shorthand.name.clone(), moved);
            }
        }
        for (name, field) in self.fields() {
            if let (Kind::Record(inner), Some(value)) = (&field.kind, map.get_mut(name)) {
                inner.show_old_names(value);
            }
        }
    }

    /// What a value uses that is going away, as warnings to log. To be asked before the value is completed, which
    /// turns old names into new ones.
    #[must_use]
    pub fn deprecations(&self, value: &Value) -> Vec<Problem> {
        let mut found = Vec::new();
        deprecations(self, value, Trail::ROOT, &mut found);
        found
    }
}

fn at<'a>(map: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => map.get(path),
        Some((first, rest)) => at(map.get(first)?.as_object()?, rest),
    }
}

fn set_to_null(record: &Record, value: &Value, trail: Trail<'_>, problems: &mut Vec<Problem>) {
    for (name, field) in record.fields() {
        let trail = trail.key(name);
        match (value.get(name), &field.kind) {
            (Some(Value::Null), _) if field.required && !field.auto => {
                problems.push(Problem::new(trail.path(), REQUIRED));
            }
            (Some(inner), Kind::Record(record)) => set_to_null(record, inner, trail, problems),
            _ => {}
        }
    }
}

fn deprecations(record: &Record, value: &Value, trail: Trail<'_>, found: &mut Vec<Problem>) {
    let given = |name: &str| value.get(name).filter(|value| !value.is_null());
    for shorthand in record.shorthands() {
        if given(&shorthand.name).is_none() {
            continue;
        }
        let message = match (&shorthand.field.deprecation, &shorthand.target) {
            (Some(deprecation), _) if !deprecation.message.is_empty() => deprecation.message.clone(),
            (_, Target::Moved(path)) => format!("deprecated, please use {path} instead"),
            (Some(_), Target::Expanded(_)) => "deprecated".to_owned(),
            (None, Target::Expanded(_)) => continue,
        };
        found.push(Problem::new(trail.key(&shorthand.name).path(), message));
    }
    for (name, field) in record.fields() {
        let Some(value) = given(name) else { continue };
        let trail = trail.key(name);
        if let Some(deprecation) = &field.deprecation
            && deprecation.old_default.as_ref().is_none_or(|default| !lua::same(default, value))
        {
            let message = if deprecation.message.is_empty() { "deprecated" } else { &deprecation.message };
            found.push(Problem::new(trail.path(), message));
        }
        if let Kind::Record(inner) = &field.kind {
            deprecations(inner, value, trail, found);
        }
    }
}
