//! Documents taken apart into entities: nested ones are lifted out of their parents.

use towergate_schema::{Path, Segment};

use super::kind::Kind;
use super::syntax::Complaints;
use crate::document::{Node, Position, Value};

/// One declared entity, where it stands and whom it is nested in.
pub(crate) struct Item<'a> {
    pub(crate) kind: Kind,
    /// What is written: a mapping, or a text where a name alone says all.
    pub(crate) node: &'a Node,
    /// Which of the sources.
    pub(crate) source: usize,
    pub(crate) parent: Option<Parent>,
    /// The key of the list it stands in, and its place there.
    key: &'a str,
    index: usize,
}

/// The path of an item from the top of its document. There may be very many items, so paths are
/// made when they are needed.
pub(crate) fn path(items: &[Item<'_>], item: &Item<'_>) -> Path {
    list_path(items, item.parent, item.key).index(item.index)
}

fn list_path(items: &[Item<'_>], parent: Option<Parent>, key: &str) -> Path {
    let parent = parent.and_then(|parent| items.get(parent.item));
    parent.map_or_else(Path::root, |parent| path(items, parent)).key(key)
}

/// The entity another one is nested in.
#[derive(Clone, Copy)]
pub(crate) struct Parent {
    /// Its place in the list of items; always before the child's.
    pub(crate) item: usize,
    /// The field of the child that names it.
    pub(crate) field: &'static str,
}

impl<'a> Item<'a> {
    /// The value of a field as written. A bare text counts as the name, or as the group where
    /// groups of a consumer are listed.
    pub(crate) fn field(&self, name: &str) -> Option<&'a Node> {
        match (&self.node.value, self.kind) {
            (Value::String(_), Kind::Snis) if name == "name" => Some(self.node),
            (Value::String(_), Kind::ConsumerGroupConsumers) if name == "consumer_group" => Some(self.node),
            (_, Kind::ConsumerGroupConsumers) if self.is_group_of_consumer() && name == "consumer_group" => {
                self.node.field("name").or_else(|| self.node.field("id"))
            }
            _ => self.node.field(name).filter(|node| !node.is_null()),
        }
    }

    /// The text of a field.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.field(name).and_then(Node::as_str)
    }

    /// Whether it was written as `consumers[].groups[]`, where name or id are the group's.
    fn is_group_of_consumer(&self) -> bool {
        self.parent.is_some()
            && self.kind == Kind::ConsumerGroupConsumers
            && self.node.field("consumer_group").is_none()
    }

    /// What is written without the nested entities, as JSON.
    pub(crate) fn own_json(&self) -> serde_json::Value {
        let mut own = serde_json::Map::new();
        match &self.node.value {
            Value::Map(fields) if !self.is_group_of_consumer() => {
                for (key, value) in fields {
                    if nested_kind(&key.name, self.kind).is_none() {
                        own.insert(key.name.to_string(), value.to_json());
                    }
                }
            }
            _ => {
                let field = if self.kind == Kind::Snis { "name" } else { "consumer_group" };
                own.insert(field.to_owned(), self.field(field).map_or(serde_json::Value::Null, Node::to_json));
            }
        }
        own.into()
    }

    /// Where `path`, taken from this entity, stands in the text: the place of the value or, when it
    /// is not there, of the nearest thing around it.
    pub(crate) fn locate(&self, path: &Path, at_key: bool) -> Position {
        let mut node = self.node;
        let mut at = node.at;
        for segment in path.segments() {
            let entry = match segment {
                Segment::Key(name) | Segment::Entry(name) => node.entry(name).or_else(|| self.shorthand_of(name)),
                Segment::Index(index) => {
                    let Some(element) = node.as_list().and_then(|items| items.get(*index)) else {
                        return at;
                    };
                    (node, at) = (element, element.at);
                    continue;
                }
            };
            let Some((key, value)) = entry else { return at };
            at = if at_key { key.at } else { value.at };
            node = value;
        }
        at
    }

    /// What is written at `path`, taken from this entity.
    pub(crate) fn written(&self, path: &Path) -> Option<&'a Node> {
        path.segments().iter().try_fold(self.node, |node, segment| match segment {
            Segment::Key(name) | Segment::Entry(name) => node.field(name),
            Segment::Index(index) => node.as_list()?.get(*index),
        })
    }

    /// The field that was written in place of `name`.
    fn shorthand_of(&self, name: &str) -> Option<&'a (crate::document::Key, Node)> {
        let from_url = self.kind == Kind::Services && matches!(name, "host" | "port" | "path" | "protocol");
        from_url.then(|| self.node.entry("url")).flatten()
    }
}

/// The kind of the entities under the key `name` inside an entity of kind `parent`, with the field
/// of theirs that names it.
pub(crate) fn nested_kind(name: &str, parent: Kind) -> Option<(Kind, &'static str)> {
    if parent == Kind::Consumers && name == "groups" {
        return Some((Kind::ConsumerGroupConsumers, "consumer"));
    }
    let kind = Kind::named(name)?;
    // A service has a field of its own called ca_certificates: the ids of those it trusts.
    kind.nests_in(parent).map(|field| (kind, field))
}

/// Takes one document apart; parents come before their children.
pub(crate) fn take_apart<'a>(root: &'a Node, source: usize, items: &mut Vec<Item<'a>>, complaints: &mut Complaints) {
    let Value::Map(fields) = &root.value else {
        return;
    };
    for (key, value) in fields {
        if let Some(kind) = Kind::named(&key.name) {
            collection(value, &Place { kind, source, parent: None, key: &key.name }, items, complaints);
        }
    }
}

/// A list of entities.
struct Place<'a> {
    kind: Kind,
    source: usize,
    parent: Option<Parent>,
    key: &'a str,
}

fn collection<'a>(list: &'a Node, place: &Place<'a>, items: &mut Vec<Item<'a>>, complaints: &mut Complaints) {
    let elements = match &list.value {
        Value::Null => return,
        Value::List(elements) => elements,
        _ => {
            let path = list_path(items, place.parent, place.key);
            return complaints.add(place.source, list.at, path, "expected an array");
        }
    };
    for (index, node) in elements.iter().enumerate() {
        let bare = matches!(node.value, Value::String(_)) && place.parent.is_some() && may_be_bare(place.kind);
        if bare || matches!(node.value, Value::Map(_)) {
            one(node, place, index, items, complaints);
        } else {
            let path = list_path(items, place.parent, place.key).index(index);
            complaints.add(place.source, node.at, path, "expected a record");
        }
    }
}

/// Whether a text alone stands for an entity of the kind: an SNI of a certificate, a group of a consumer.
fn may_be_bare(kind: Kind) -> bool {
    matches!(kind, Kind::Snis | Kind::ConsumerGroupConsumers)
}

fn one<'a>(node: &'a Node, place: &Place<'a>, index: usize, items: &mut Vec<Item<'a>>, complaints: &mut Complaints) {
    let item = items.len();
    items.push(Item { kind: place.kind, node, source: place.source, parent: place.parent, key: place.key, index });
    let Value::Map(fields) = &node.value else {
        return;
    };
    for (key, value) in fields {
        if let Some((kind, field)) = nested_kind(&key.name, place.kind) {
            let parent = Some(Parent { item, field });
            collection(value, &Place { kind, source: place.source, parent, key: &key.name }, items, complaints);
        }
    }
}
