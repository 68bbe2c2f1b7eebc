//! What holds for a whole configuration.

use std::sync::Arc;

use crate::{directory::Directory, entities::Entities, secrets::Secrets};

/// What holds for the whole of one configuration, whichever route a request takes. A request keeps that of the
/// configuration it began with.
///
/// It stands beside the plans, not in them, so that a plan need not be made again when consumers change.
#[derive(Debug, Clone, Default)]
pub struct Generation {
    /// The consumers and credentials.
    pub directory: Arc<Directory>,
    /// Where clients send what proves who they are, on any route: on a wrong one a key is a key, too.
    pub secrets: Arc<Secrets>,
    /// The entities as people see them.
    pub entities: Option<Arc<dyn Entities>>,
}

impl From<Arc<Directory>> for Generation {
    /// One of which nothing else is known.
    fn from(directory: Arc<Directory>) -> Self {
        Self { directory, ..Self::default() }
    }
}
