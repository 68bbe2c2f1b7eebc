//! What may be configured but does nothing yet in this version. Take a line out here when its
//! feature is built.

use std::collections::BTreeMap;

use serde_json::Value;
use towergate_schema::Path;

use crate::declarative::Entities;
use crate::declarative::kind::Kind;
use crate::document::{Node, Value as Written};
use crate::source::Source;
use crate::warning::Warning;

/// Collections of Kong that this version does not keep.
const UNUSED: &[&str] = &[
    "filter_chains",
    "parameters",
    "workspaces",
    "clustering_data_planes",
    "acme_storage",
    "sessions",
    "session_metadatas",
    "oauth2_authorization_codes",
    "ratelimiting_metrics",
    "licenses",
    "partials",
];

/// Collections that are kept and shown but not acted upon.
const KINDS: &[(Kind, &str)] = &[
    (Kind::Vaults, "vaults of one's own come (references to `env` work)"),
    (Kind::Keys, "keys come"),
    (Kind::KeySets, "keys come"),
    (Kind::Oauth2Credentials, "oauth2 comes"),
    (Kind::Oauth2Tokens, "oauth2 comes"),
];

/// Fields that are kept and shown but not acted upon: where, what comes, and the texts that are
/// harmless. `null` and `false` always are; lists count if one of their texts is not harmless.
const FIELDS: &[(Kind, &str, &str, &[&str])] = &[
    (Kind::Services, "protocol", "TCP and UDP come", &["http", "https", "grpc", "grpcs"]),
    (Kind::Routes, "protocols", "TCP and UDP come", &["http", "https", "grpc", "grpcs"]),
    (Kind::Routes, "sources", "TCP and UDP come", &[]),
    (Kind::Routes, "destinations", "TCP and UDP come", &[]),
];

/// Whether `name` is a collection of Kong that this version does not keep.
pub(crate) fn is_unused_collection(name: &str) -> bool {
    UNUSED.contains(&name)
}

/// One warning for each collection that is given and not kept.
pub(crate) fn unused_collections(sources: &[Source], documents: &[Node]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (position, document) in documents.iter().enumerate() {
        for name in UNUSED {
            let Some((key, _)) = document.entry(name).filter(|(_, list)| !is_empty(list)) else {
                continue;
            };
            warnings.push(Warning {
                source: sources.get(position).map_or_else(String::new, |source| source.name.clone()),
                at: key.at,
                path: (*name).to_owned(),
                message: "accepted, but this version does nothing with it".to_owned(),
            });
        }
    }
    warnings
}

fn is_empty(node: &Node) -> bool {
    match &node.value {
        Written::Null => true,
        Written::List(items) => items.is_empty(),
        Written::Map(fields) => fields.is_empty(),
        _ => false,
    }
}

/// One warning for each field or collection that is given and not acted upon, at its first place.
pub(crate) fn fields(entities: &Entities<'_>, warnings: &mut Vec<Warning>) {
    let mut found: BTreeMap<usize, (usize, Path, String, usize)> = BTreeMap::new();
    for (position, item) in entities.items.iter().enumerate() {
        if let Some(line) = KINDS.iter().position(|(kind, _)| *kind == item.kind) {
            let feature = KINDS.get(line).map_or("", |(_, feature)| feature);
            count(&mut found, line, position, Path::root(), feature);
        }
        for (line, (_, field, feature, harmless)) in FIELDS.iter().enumerate().filter(|(_, entry)| entry.0 == item.kind)
        {
            let written = item.field(field).filter(|node| !is_harmless(node, harmless));
            if written.is_some() {
                count(&mut found, KINDS.len().saturating_add(line), position, Path::root().key(*field), feature);
            }
        }
    }
    for (position, path, feature, times) in found.into_values() {
        let others = match times {
            1 => String::new(),
            times => format!("; {} more like it", times.saturating_sub(1)),
        };
        let message = format!("accepted, but does nothing yet: {feature} with a later version{others}");
        warnings.push(entities.warning(position, &path, message));
    }
}

fn count(
    found: &mut BTreeMap<usize, (usize, Path, String, usize)>,
    line: usize,
    item: usize,
    path: Path,
    feature: &str,
) {
    let entry = found.entry(line).or_insert_with(|| (item, path, feature.to_owned(), 0));
    entry.3 = entry.3.saturating_add(1);
}

fn is_harmless(node: &Node, harmless: &[&str]) -> bool {
    match node.to_json() {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => harmless.contains(&text.as_str()),
        Value::Array(items) => items.iter().all(|item| item.as_str().is_some_and(|text| harmless.contains(&text))),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
