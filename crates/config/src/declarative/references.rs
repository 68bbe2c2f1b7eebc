//! Who is meant by a name or an id.

use std::collections::HashMap;

use towergate_schema::Path;
use uuid::Uuid;

use super::Entities;
use super::item::{self, Item};
use super::kind::{Foreign, Kind};
use super::syntax::{Complaint, Complaints, Stage};
use crate::document::{Node, Value};

/// All entities by id and by their unique names.
pub(crate) struct Index<'a> {
    by_id: HashMap<(Kind, Uuid), usize>,
    by_key: HashMap<(Kind, &'a str), usize>,
}

impl<'a> Index<'a> {
    /// Files every entity; what is there twice is reported and the first one kept.
    pub(super) fn new(entities: &Entities<'a>, complaints: &mut Complaints) -> Self {
        let mut index = Self { by_id: HashMap::new(), by_key: HashMap::new() };
        for (position, (item, id)) in entities.items.iter().zip(&entities.ids).enumerate() {
            let mut doubled = false;
            if let Some((field, key)) = endpoint_key(item) {
                match index.by_key.get(&(item.kind, key)) {
                    Some(first) => {
                        doubled = true;
                        complaints.push(already_declared(entities, position, *first, field, key));
                    }
                    None => drop(index.by_key.insert((item.kind, key), position)),
                }
            }
            match index.by_id.get(&(item.kind, *id)) {
                Some(first) if !doubled => {
                    complaints.push(already_declared(entities, position, *first, "primary key", &id.to_string()));
                }
                Some(_) => {}
                None => drop(index.by_id.insert((item.kind, *id), position)),
            }
        }
        index
    }

    /// The place in the list of items of whom `key` means: a name, or else an id.
    pub(crate) fn find(&self, kind: Kind, key: &str) -> Option<usize> {
        let by_id = || self.by_id.get(&(kind, key.parse().ok()?));
        self.by_key.get(&(kind, key)).or_else(by_id).copied()
    }

    /// The place in the list of items of the one with an id.
    pub(crate) fn position(&self, kind: Kind, id: Uuid) -> Option<usize> {
        self.by_id.get(&(kind, id)).copied()
    }
}

fn endpoint_key<'a>(item: &Item<'a>) -> Option<(&'static str, &'a str)> {
    let field = item.kind.endpoint_key()?;
    item.text(field).map(|key| (field, key))
}

/// Kong's words for something that is there twice, and where the first one is.
pub(super) fn already_declared(
    entities: &Entities<'_>,
    position: usize,
    first: usize,
    field: &str,
    value: &str,
) -> Complaint {
    let (here, there) = (entities.items.get(position), entities.items.get(first));
    let kind = here.map_or("", |item| item.kind.name());
    let message = format!("uniqueness violation: '{kind}' entity with {field} set to '{value}' already declared");
    let hint = there.map(|there| format!("the first one is at {}", entities.place(there)));
    let in_field = if field == "primary key" { Path::root() } else { Path::root().key(field) };
    let Some(here) = here else {
        return Complaint::about_nothing(message);
    };
    let path = item::path(&entities.items, here);
    Complaint {
        source: here.source,
        at: here.locate(&in_field, false),
        path: path.clone().join(in_field.clone()),
        message,
        hint,
        stage: Stage::Together(kong_path(&path)),
        item: Some((position, in_field)),
    }
}

/// Kong names one parent at most.
fn kong_path(path: &Path) -> Path {
    let segments = path.segments();
    Path::from(segments.get(segments.len().saturating_sub(4)..).unwrap_or(segments).to_vec())
}

/// What a field that names another entity says.
pub(super) enum Link {
    /// Nobody.
    None,
    /// This item.
    To(usize),
    /// Something is wrong; it was reported.
    Wrong,
}

/// Whom the field `foreign` of an item names.
pub(super) fn link(
    entities: &Entities<'_>,
    index: &Index<'_>,
    position: usize,
    foreign: &Foreign,
    complaints: &mut Complaints,
) -> Link {
    let Some(item) = entities.items.get(position) else {
        return Link::None;
    };
    let parent = item.parent.filter(|parent| parent.field == foreign.field);
    let Some(node) = item.field(foreign.field) else {
        return parent.map_or(Link::None, |parent| Link::To(parent.item));
    };
    let found = match name_of(node) {
        Ok(key) => index.find(foreign.of, key),
        Err(message) => {
            let path = Path::root().key(foreign.field);
            complaints.push(Complaint::of_field(entities, position, path, message));
            return Link::Wrong;
        }
    };
    match (parent, found) {
        // A nested entity belongs to the one around it, whatever it says itself.
        (Some(parent), Some(_)) => Link::To(parent.item),
        (None, Some(found)) => Link::To(found),
        (_, None) => {
            complaints.push(dangling(entities, position, foreign, node));
            Link::Wrong
        }
    }
}

fn name_of(node: &Node) -> Result<&str, &'static str> {
    match &node.value {
        Value::String(text) if text.is_empty() => Err("length must be at least 1"),
        Value::String(text) => Ok(text),
        Value::Map(fields) => {
            let named = node.field("id").or_else(|| fields.first().map(|(_, value)| value));
            named.and_then(Node::as_str).ok_or("missing primary key")
        }
        _ => Err("expected a string"),
    }
}

fn dangling(entities: &Entities<'_>, position: usize, foreign: &Foreign, node: &Node) -> Complaint {
    let shown = node.as_str().map_or_else(|| node.to_json().to_string(), str::to_owned);
    let message = format!("invalid reference '{}: {shown}' (no such entry in '{}')", foreign.field, foreign.of.name());
    let hint = meant(entities, foreign.of, &shown);
    let mut complaint = Complaint::of_field(entities, position, Path::root().key(foreign.field), message);
    let at = entities.items.get(position).and_then(endpoint_key).map(|(_, key)| key.to_owned());
    let at = at.or_else(|| entities.ids.get(position).map(Uuid::to_string)).unwrap_or_default();
    let kind = entities.items.get(position).map_or("", |item| item.kind.name());
    complaint.hint = hint;
    complaint.stage = Stage::Together(Path::root().key(kind).key(at).index(0));
    complaint
}

/// Beyond this many entities nobody is asked which was meant: comparing the names takes time.
const COMPARED: usize = 1_000;

fn meant(entities: &Entities<'_>, kind: Kind, name: &str) -> Option<String> {
    let field = kind.endpoint_key()?;
    let same_kind = entities.items.iter().take(COMPARED).filter(|item| item.kind == kind);
    let names = same_kind.filter_map(|item| item.text(field));
    crate::suggest::nearest(name, names).map(|name| format!("did you mean `{name}`?"))
}
