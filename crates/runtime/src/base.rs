//! What tables have that no configuration says.

use std::{fmt, sync::Arc};

use towergate_core::{Observe, Pages};
use towergate_tls::Identities;

/// What tables have that no configuration says: it comes from the gateway's settings.
#[derive(Clone, Default)]
pub struct Base {
    /// How the gateway writes its own answers.
    pub pages: Arc<Pages>,
    /// The certificates shown to clients that no other certificate is for.
    pub certificates: Identities,
    /// Who is told of every request, before the plugins: the access log.
    pub observers: Vec<(&'static str, Arc<dyn Observe>)>,
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let observers: Vec<_> = self.observers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Base").field("observers", &observers).finish_non_exhaustive()
    }
}
