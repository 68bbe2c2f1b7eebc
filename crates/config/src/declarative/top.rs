//! What stands at the top of a document beside the entities: `_format_version` and its like.

use towergate_schema::Path;

use super::kind::Kind;
use super::syntax::{Complaint, Complaints, Stage};
use crate::document::{Key, Node, Position, Value};
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
    let mut reading = Reading { version: None, versions_given: 0, transform: true, complaints };
    for (source, document) in documents.iter().enumerate() {
        let Value::Map(fields) = &document.value else {
            continue;
        };
        for (key, value) in fields {
            reading.field(source, key, value);
        }
    }
    if reading.versions_given == 0 {
        let at = documents.first().map_or_else(Position::default, |document| document.at);
        let hint = "begin the file with `_format_version: \"3.0\"`".to_owned();
        reading.complain(0, at, "_format_version", "required field missing", Some(hint));
    }
    Top { before_3_0: matches!(reading.version, Some("1.1" | "2.1")), transform: reading.transform }
}

struct Reading<'a> {
    version: Option<&'static str>,
    versions_given: usize,
    transform: bool,
    complaints: &'a mut Complaints,
}

impl Reading<'_> {
    fn field(&mut self, source: usize, key: &Key, node: &Node) {
        let name = &*key.name;
        let expected = match (name, &node.value) {
            ("_format_version" | "_transform" | "_comment" | "_ignore", Value::Null) => return,
            ("_format_version", value) => return self.version(source, node.at, value),
            ("_transform", Value::Bool(wanted)) => {
                self.transform &= wanted;
                return;
            }
            ("_comment", Value::String(_)) | ("_ignore", Value::List(_)) => return,
            ("_transform", _) => "expected a boolean",
            ("_comment", _) => "expected a string",
            ("_ignore", _) => "expected an array",
            _ if META.contains(&name) || Kind::named(name).is_some() || later::is_unused_collection(name) => {
                return;
            }
            _ => {
                let known = META.into_iter().take(4).chain(Kind::ALL.into_iter().map(Kind::name));
                let hint = suggest::nearest(name, known).map(|name| format!("did you mean `{name}`?"));
                return self.complain(source, key.at, name, "unknown field", hint);
            }
        };
        self.complain(source, node.at, name, expected, None);
    }

    fn version(&mut self, source: usize, at: Position, value: &Value) {
        self.versions_given = self.versions_given.saturating_add(1);
        let Value::String(text) = value else {
            let hint = Some("write it in quotes: \"3.0\"".to_owned());
            return self.complain(source, at, "_format_version", "expected a string", hint);
        };
        let Some(known) = VERSIONS.into_iter().find(|known| *known == &**text) else {
            return self.complain(source, at, "_format_version", "expected one of: 1.1, 2.1, 3.0", None);
        };
        if let Some(other) = self.version.replace(known).filter(|other| *other != known) {
            let hint = Some(format!("another file says \"{other}\""));
            self.complain(source, at, "_format_version", "files disagree", hint);
        }
    }

    fn complain(&mut self, source: usize, at: Position, name: &str, message: &str, hint: Option<String>) {
        let (path, message) = (Path::root().key(name), message.to_owned());
        self.complaints.push(Complaint { source, at, path, message, hint, stage: Stage::Field, item: None });
    }
}
