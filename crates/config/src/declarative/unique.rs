//! What only one entity may have: values of single fields, and of several together.

use std::collections::HashMap;

use serde_json::{Map, Value};
use towergate_schema::Path;

use super::Entities;
use super::kind::Kind;
use super::references::already_declared;
use super::syntax::{Complaint, Complaints, Stage};

/// Values seen so far, with the first entity that has them.
#[derive(Default)]
pub(super) struct Seen {
    single: HashMap<(Kind, &'static str, String), usize>,
    together: HashMap<(Kind, String), usize>,
}

impl Seen {
    /// Notes the values of one completed entity; those that another one has already are reported.
    pub(super) fn note(
        &mut self,
        entities: &Entities<'_>,
        item: usize,
        value: &Map<String, Value>,
        complaints: &mut Complaints,
    ) {
        let Some(kind) = entities.items.get(item).map(|item| item.kind) else {
            return;
        };
        // Endpoint keys were compared when the names were filed.
        for field in kind.also_unique() {
            let Some(text) = value.get(*field).and_then(Value::as_str) else {
                continue;
            };
            match self.single.get(&(kind, *field, text.to_owned())) {
                Some(first) => complaints.push(already_declared(entities, item, *first, field, text)),
                None => drop(self.single.insert((kind, *field, text.to_owned()), item)),
            }
        }
        self.note_together(entities, item, kind, value, complaints);
    }

    fn note_together(
        &mut self,
        entities: &Entities<'_>,
        item: usize,
        kind: Kind,
        value: &Map<String, Value>,
        complaints: &mut Complaints,
    ) {
        let fields = kind.unique_together();
        if fields.is_empty() {
            return;
        }
        let key: Vec<_> =
            fields.iter().map(|field| value.get(*field).map(Value::to_string).unwrap_or_default()).collect();
        let first = *self.together.entry((kind, key.join(","))).or_insert(item);
        // The same plugin in the same scope mostly has the same id too, and that was told.
        let same_id = entities.ids.get(item) == entities.ids.get(first);
        if first == item || same_id {
            return;
        }
        let named: Vec<_> = fields
            .iter()
            .filter_map(|field| shown(value.get(*field)?).map(|text| format!("{field}=\"{text}\"")))
            .collect();
        // Kong's words for the same on its Admin API.
        let message = format!("UNIQUE violation detected on '{{{}}}'", named.join(","));
        let mut complaint = Complaint::of_field(entities, item, Path::root(), message);
        complaint.hint =
            entities.items.get(first).map(|first| format!("the first one is at {}", entities.place(first)));
        complaint.stage = Stage::Together(complaint.path.clone());
        complaints.push(complaint);
    }
}

fn shown(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("id")?.as_str())
}
