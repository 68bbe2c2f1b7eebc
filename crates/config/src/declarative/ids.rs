//! Ids of entities that were declared without one: the same on every load, and the same as Kong's.

use std::collections::HashMap;

use uuid::Uuid;

use super::item::Item;
use super::kind::{IdRule, Kind};
use crate::document::Node;

/// The namespace all of Kong's generated ids begin from.
const ENTITIES: Uuid = Uuid::from_u128(0xfd02_801f_0957_4a15_a55a_c8d9_606f_30b5);

/// The id of each item, in order.
pub(super) fn assign(items: &[Item<'_>]) -> Vec<Uuid> {
    let mut makers: HashMap<Kind, Uuid> = HashMap::new();
    let mut seen: HashMap<Uuid, u32> = HashMap::new();
    let mut ids: Vec<Uuid> = Vec::with_capacity(items.len());
    for item in items {
        let namespace = *makers.entry(item.kind).or_insert_with(|| namespace(item.kind));
        let parent = item.parent.and_then(|parent| Some((parent.field, *ids.get(parent.item)?)));
        let id = written(item).or_else(|| by_rule(item, namespace, parent));
        ids.push(id.unwrap_or_else(|| by_content(item, namespace, parent, &mut seen)));
    }
    ids
}

fn namespace(kind: Kind) -> Uuid {
    Uuid::new_v5(&ENTITIES, kind.name().as_bytes())
}

/// The id that was written, if it is one. Whether its form is right is the schema's to say.
fn written(item: &Item<'_>) -> Option<Uuid> {
    // In `consumers[].groups[]` an id is the group's, not that of the membership.
    if item.kind == Kind::ConsumerGroupConsumers && item.parent.is_some() {
        return None;
    }
    item.text("id")?.parse().ok()
}

fn by_rule(item: &Item<'_>, namespace: Uuid, parent: Option<(&str, Uuid)>) -> Option<Uuid> {
    match item.kind.id_rule() {
        IdRule::Key(field) => item.text(field).map(|key| Uuid::new_v5(&namespace, key.as_bytes())),
        IdRule::Cache(fields) => {
            // `*` is the workspace, of which there is one.
            let mut key = format!("{}:*", item.kind.name());
            for (field, required) in fields {
                key.push(':');
                match reference(item.field(field)) {
                    Some(text) => key.push_str(text),
                    None => match parent {
                        Some((parent_field, id)) if parent_field == *field => key.push_str(&id.to_string()),
                        _ if *required => return None,
                        _ => {}
                    },
                }
            }
            if let Some(group) = group(item, parent) {
                key.push(':');
                key.push_str(&group);
            }
            Some(Uuid::new_v5(&namespace, key.as_bytes()))
        }
        IdRule::Content => None,
    }
}

/// The group of consumers a plugin is for, by its own word or by where it stands.
fn group(item: &Item<'_>, parent: Option<(&str, Uuid)>) -> Option<String> {
    if item.kind != Kind::Plugins {
        return None;
    }
    let own = reference(item.field("consumer_group")).map(str::to_owned);
    own.or_else(|| parent.filter(|(field, _)| *field == "consumer_group").map(|(_, id)| id.to_string()))
}

/// A text, or the id in `{id: …}`.
fn reference(node: Option<&Node>) -> Option<&str> {
    let node = node?;
    node.as_str().or_else(|| node.field("id")?.as_str())
}

fn by_content(item: &Item<'_>, namespace: Uuid, parent: Option<(&str, Uuid)>, seen: &mut HashMap<Uuid, u32>) -> Uuid {
    let parent = parent.map(|(field, id)| format!("{field}:{id}")).unwrap_or_default();
    let content = Uuid::new_v5(&namespace, format!("{parent}{}", item.own_json()).as_bytes());
    let copies = seen.entry(content).or_insert(0);
    *copies = copies.saturating_add(1);
    match *copies {
        1 => content,
        nth => Uuid::new_v5(&content, nth.to_string().as_bytes()),
    }
}
