//! Entities as they are kept, made into a configuration again.

use serde_json::Value;
use towergate_schema::Problem;

use crate::completion::{Completion, Way};
use crate::config::AnyEntity;
use crate::declarative::{Catalog, Kind, Options};

/// Reads entities that a store keeps ([`Changed::entity`](crate::Changed::entity)).
pub struct Restore<'a>(Completion<'a>);

impl<'a> Restore<'a> {
    /// With what is known now. A field that is newer than what is kept gets its default.
    #[must_use]
    pub fn new(catalog: &'a dyn Catalog, options: &'a Options) -> Self {
        Self(Completion::new(catalog, &options.environment, options.now, false))
    }

    /// The entity in its typed form, with the secrets that its references lead to now.
    ///
    /// # Errors
    /// It was kept by a version that knew more, or a secret is gone.
    pub fn entity(&mut self, kind: Kind, kept: Value) -> Result<AnyEntity, Vec<Problem>> {
        let Value::Object(kept) = kept else { return Err(vec![Problem::entity("expected a record")]) };
        let completed = self.0.complete(kind, kept, Way::Whole, None);
        if !completed.problems.is_empty() {
            return Err(completed.problems);
        }
        self.0.typed(kind, completed.value)
    }
}
