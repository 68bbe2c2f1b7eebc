//! What loads but cannot work, or hardly can be meant: told as warnings, with what would be right.

mod cors;
mod plugins;
mod routes;
mod upstreams;

use towergate_schema::Path;
use uuid::Uuid;

use crate::config::Config;
use crate::declarative::Entities;
use crate::declarative::kind::Kind;
use crate::declarative::references::Index;
use crate::warning::Warning;

/// What a lint looks at and where it says what it found.
pub(crate) struct Lint<'a> {
    pub(crate) config: &'a Config,
    pub(crate) entities: &'a Entities<'a>,
    pub(crate) index: &'a Index<'a>,
    found: Vec<Warning>,
}

/// Of each lint, more than this are counted only.
const TOLD: usize = 50;

/// The warnings of all lints.
pub(crate) fn all(config: &Config, entities: &Entities<'_>, index: &Index<'_>, warnings: &mut Vec<Warning>) {
    for lint in [upstreams::lint, routes::lint, cors::lint, plugins::lint] {
        let mut context = Lint { config, entities, index, found: Vec::new() };
        lint(&mut context);
        let more = context.found.len().saturating_sub(TOLD);
        context.found.truncate(TOLD);
        if let Some(last) = context.found.last_mut().filter(|_| more > 0) {
            last.message.push_str(&format!(" ({more} more warnings like these)"));
        }
        warnings.append(&mut context.found);
    }
}

impl Lint<'_> {
    /// Says something about the field at `path`, with dots, of an entity; an empty path is the entity itself.
    fn say(&mut self, kind: Kind, id: Uuid, path: &str, message: impl Into<String>) {
        let item = self.index.position(kind, id).unwrap_or(usize::MAX);
        self.found.push(self.entities.warning(item, &Path::dotted(path), message));
    }
}
