//! Secrets in the place of the references to them.

use serde_json::Value;
use towergate_schema::{Kind as Type, Path, Problem, Record};

use crate::vault::{self, Environment};

/// `value` with the secrets in place of the references in its referenceable fields, if it has any.
/// `path` is where it stands; what leads nowhere is a problem there.
pub(crate) fn revealed(
    record: &Record,
    value: &Value,
    path: &Path,
    environment: &Environment,
    problems: &mut Vec<Problem>,
) -> Option<Value> {
    let mut revealed = value.clone();
    let mut found = false;
    reveal(record, &mut revealed, path, &mut |path, reference| {
        found = true;
        vault::resolve(reference, environment).map_err(|why| problems.push(Problem::new(path.clone(), why)))
    });
    found.then_some(revealed)
}

fn reveal(
    record: &Record,
    value: &mut Value,
    path: &Path,
    resolve: &mut impl FnMut(&Path, &str) -> Result<String, ()>,
) {
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    for (name, field) in record.fields() {
        let Some(value) = fields.get_mut(name) else {
            continue;
        };
        let path = path.clone().key(name);
        match (&field.kind, value) {
            (Type::Record(inner), value) => reveal(inner, value, &path, resolve),
            (Type::Array(element) | Type::Set(element), Value::Array(items)) if element.referenceable => {
                for (index, item) in items.iter_mut().enumerate() {
                    reveal_one(item, &path.clone().index(index), resolve);
                }
            }
            (Type::Map(_, element), Value::Object(entries)) if element.referenceable => {
                for (key, item) in entries.iter_mut() {
                    reveal_one(item, &path.clone().entry(key.as_str()), resolve);
                }
            }
            (_, value) if field.referenceable => reveal_one(value, &path, resolve),
            _ => {}
        }
    }
}

fn reveal_one(value: &mut Value, path: &Path, resolve: &mut impl FnMut(&Path, &str) -> Result<String, ()>) {
    if let Some(reference) = value.as_str().filter(|text| vault::is_reference(text))
        && let Ok(secret) = resolve(path, reference)
    {
        *value = Value::String(secret);
    }
}
