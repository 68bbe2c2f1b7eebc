//! Entities as people see them.

use std::fmt;

use uuid::Uuid;

/// The entities of the configuration a request began with, as the Admin API shows them. Looked up and
/// written out when somebody wants to read one, which is rare: nothing is kept for it.
pub trait Entities: fmt::Debug + Send + Sync {
    /// The route with this id, in JSON.
    fn route(&self, id: Uuid) -> Option<String>;

    /// The service with this id, in JSON.
    fn service(&self, id: Uuid) -> Option<String>;
}
