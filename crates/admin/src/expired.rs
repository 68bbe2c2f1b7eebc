//! Credentials whose time is over are taken out of the store.

use std::{sync::Arc, time::Duration};

use crate::{Admin, entities::expiry};

/// How often it is looked for them: as often as Kong does. Nobody sees them meanwhile, and they open nothing.
const EVERY: Duration = Duration::from_mins(1);

/// Takes credentials whose `ttl` is over out of the store, for as long as the process lives. Of several nodes that
/// do, the first has done it for all.
pub async fn forget_expired(admin: Arc<Admin>) {
    loop {
        tokio::time::sleep(EVERY).await;
        if admin.is_read_only() || expiry::over(&admin.control.current().config).is_empty() {
            continue;
        }
        let forgetting = admin.clone().change(|edit, _| {
            expiry::forget(edit);
            Ok(())
        });
        if let Err(denied) = forgetting.await {
            tracing::debug!(?denied, "expired credentials stay in the store for now");
        }
    }
}
