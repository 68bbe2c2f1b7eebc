//! What is wrong with an entity, found when policies and routes are made.

use std::fmt;

use uuid::Uuid;

/// What is wrong with an entity of a configuration that was valid by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileProblem {
    /// The entity's collection (`plugins`).
    pub collection: &'static str,
    /// The entity's id.
    pub id: Uuid,
    /// The entity's name, if it has one.
    pub name: Option<String>,
    /// The path of the field inside the entity (`config.origins[1]`).
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl CompileProblem {
    pub(crate) fn new(
        collection: &'static str,
        id: Uuid,
        name: Option<&str>,
        field: &str,
        message: impl Into<String>,
    ) -> Self {
        let (name, field) = (name.map(str::to_owned), field.to_owned());
        Self { collection, id, name, field, message: message.into() }
    }
}

impl fmt::Display for CompileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.to_string();
        let entity = self.name.as_deref().unwrap_or(&id);
        write!(f, "in {} '{entity}': {}: {}", self.collection, self.field, self.message)
    }
}

impl std::error::Error for CompileProblem {}
