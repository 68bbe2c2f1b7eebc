//! What stands at the top of a document beside the entities: `_format_version` and its like.

use towergate_schema::Path;

use super::kind::Kind;
use super::syntax::{Complaint, Complaints, Stage};
use crate::document::{Node, Position, Value};
use crate::later;
use crate::suggest;

/// What the documents together say about themselves.
#[derive(Debug, Default)]
pub(super) struct Top {
    /// Whether paths have to be brought from the form of Kong before 3.0.
    pub(super) before_3_0: bool,
    /// Whether secrets such as passwords are still to be hashed. True unless `_transform: false`.
    pub(super) transform: bool,
}

const VERSIONS: [&str; 3] = ["1.1", "2.1", "3.0"];

/// Fields that are not collections: those of Kong, then those that other tools write.
const META: [&str; 9] = [
    "_format_version",
    "_transform",
    "_comment",
    "_ignore",
    "_info",
    "_plugin_configs",
    "_workspace",
    "_konnect",
    "_ws",
];

/// Reads the fields of all documents. The version must be in at least one; all that have it agree.
pub(super) fn read(documents: &[Node], complaints: &mut Complaints) -> Top {
    let mut version: Option<&str> = None;
    let mut transform = true;
    for (source, document) in documents.iter().enumerate() {
        let Value::Map(fields) = &document.value else {
            continue;
        };
        for (key, value) in fields {
            let path = Path::root().key(&*key.name);
            let mut complain = |message: &str, hint: Option<String>| {
                complaints.push(Complaint {
                    source,
                    at: value.at,
                    path: path.clone(),
                    message: message.to_owned(),
                    hint,
                    stage: Stage::Field,
                    item: None,
                });
            };
            match (&*key.name, &value.value) {
                ("_format_version", Value::String(text)) => {
                    match VERSIONS.iter().find(|known| **known == &**text) {
                        None => complain("expected one of: 1.1, 2.1, 3.0", None),
                        Some(known) => match version.replace(known) {
                            Some(other) if other != *known => {
                                complain(
                                    "files disagree",
                                    Some(format!("another file says \"{other}\"")),
                                );
                            }
                            _ => {}
                        },
                    }
                }
                ("_format_version", Value::Null) => {}
                ("_format_version", _) => complain(
                    "expected a string",
                    Some("write it in quotes: \"3.0\"".to_owned()),
                ),
                ("_transform", Value::Bool(wanted)) => transform &= wanted,
                ("_transform", Value::Null) => {}
                ("_transform", _) => complain("expected a boolean", None),
                ("_comment", Value::String(_) | Value::Null) => {}
                ("_comment", _) => complain("expected a string", None),
                ("_ignore", Value::List(_) | Value::Null) => {}
                ("_ignore", _) => complain("expected an array", None),
                (name, _)
                    if META.contains(&name)
                        || Kind::named(name).is_some()
                        || later::is_unused_collection(name) => {}
                (name, _) => {
                    let known = META
                        .into_iter()
                        .take(4)
                        .chain(Kind::ALL.into_iter().map(Kind::name));
                    let hint =
                        suggest::nearest(name, known).map(|name| format!("did you mean `{name}`?"));
                    let (at, path) = (key.at, path.clone());
                    let message = "unknown field".to_owned();
                    complaints.push(Complaint {
                        source,
                        at,
                        path,
                        message,
                        hint,
                        stage: Stage::Field,
                        item: None,
                    });
                }
            }
        }
    }
    if version.is_none()
        && !complaints
            .0
            .iter()
            .any(|c| c.path.to_string() == "_format_version")
    {
        let at = documents
            .first()
            .map_or_else(Position::default, |document| document.at);
        complaints.push(Complaint {
            source: 0,
            at,
            path: Path::root().key("_format_version"),
            message: "required field missing".to_owned(),
            hint: Some("begin the file with `_format_version: \"3.0\"`".to_owned()),
            stage: Stage::Field,
            item: None,
        });
    }
    Top {
        before_3_0: matches!(version, Some("1.1" | "2.1")),
        transform,
    }
}
