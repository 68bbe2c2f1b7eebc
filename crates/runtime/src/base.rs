//! What tables have that no configuration says.

use std::sync::Arc;

use towergate_core::Pages;
use towergate_tls::Identities;

/// What tables have that no configuration says: it comes from the gateway's settings.
#[derive(Debug, Clone, Default)]
pub struct Base {
    /// How the gateway writes its own answers.
    pub pages: Arc<Pages>,
    /// The certificates shown to clients that no other certificate is for.
    pub certificates: Identities,
}
