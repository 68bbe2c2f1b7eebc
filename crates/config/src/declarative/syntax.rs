//! Problems while they are collected: where, what, and which part of Kong's answer they belong to.

use towergate_schema::Path;

use super::{Entities, item};
use crate::document::Position;

/// One problem.
#[derive(Clone, Debug)]
pub(crate) struct Complaint {
    pub(crate) source: usize,
    pub(crate) at: Position,
    /// From the top of the document.
    pub(crate) path: Path,
    pub(crate) message: String,
    /// What we add to Kong's words for people.
    pub(crate) hint: Option<String>,
    pub(crate) stage: Stage,
    /// The entity it is about, as its place in the list of items, and the path inside it.
    pub(crate) item: Option<(usize, Path)>,
}

/// Kong checks in stages and answers with the problems of the first stage that has any; people get
/// those of all stages at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The text cannot be read.
    Text,
    /// A field is wrong.
    Field,
    /// Entities do not fit together: a reference leads nowhere or something is there twice. Kong
    /// names the place in its own way.
    Together(Path),
}

/// Problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Complaints(pub(crate) Vec<Complaint>);

impl Complaints {
    /// Adds a problem of a document outside its entities.
    pub(crate) fn add(&mut self, source: usize, at: Position, path: Path, message: impl Into<String>) {
        self.push(Complaint { source, at, path, message: message.into(), hint: None, stage: Stage::Field, item: None });
    }

    pub(crate) fn push(&mut self, complaint: Complaint) {
        self.0.push(complaint);
    }
}

impl Complaint {
    /// A problem of an entity at `path` inside it. An unknown field is marked at its name, anything
    /// else at its value.
    pub(crate) fn of_field(entities: &Entities<'_>, item: usize, path: Path, message: impl Into<String>) -> Self {
        let message = message.into();
        let Some(here) = entities.items.get(item) else {
            return Self::about_nothing(message);
        };
        Self {
            source: here.source,
            at: here.locate(&path, message == "unknown field"),
            path: item::path(&entities.items, here).join(path.clone()),
            message,
            hint: None,
            stage: Stage::Field,
            item: Some((item, path)),
        }
    }

    /// A problem without a place.
    pub(crate) fn about_nothing(message: String) -> Self {
        let (source, at, path) = (0, Position::default(), Path::root());
        Self { source, at, path, message, hint: None, stage: Stage::Field, item: None }
    }
}
