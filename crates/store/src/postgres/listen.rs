//! The connection on which the server tells what others commit.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use super::{
    Shared,
    connect::{CHANNEL, timed},
    tables,
};
use crate::{StoreError, Trouble};

/// A lost connection is tried again after so long, and later each time up to [`SLOWEST`].
const FIRST_RETRY: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(5);

/// Keeps the version up to date, for ever. What is not told is asked for this often.
pub(super) async fn listen(shared: Arc<Shared>, update_frequency: Duration) {
    let mut pause = FIRST_RETRY;
    let mut is_lost = false;
    loop {
        let mut reached = false;
        let error = follow(&shared, update_frequency, &mut || {
            if std::mem::take(&mut is_lost) {
                tracing::info!("the PostgreSQL is in reach again");
            }
            reached = true;
        })
        .await;
        if reached {
            pause = FIRST_RETRY;
        }
        // Before the tables are made nobody needs to be told.
        if !is_lost && error.trouble() != Trouble::Unprepared {
            tracing::warn!("nothing is heard of changes until the PostgreSQL is in reach again: {error}");
            is_lost = true;
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(SLOWEST);
    }
}

/// Follows on one connection until it is lost.
async fn follow(shared: &Shared, update_frequency: Duration, reached: &mut (impl FnMut() + Send)) -> StoreError {
    let told = Arc::new(Notify::new());
    let tells = told.clone();
    let client = match shared.connecting.connect(move || tells.notify_one()).await {
        Ok(client) => client,
        Err(error) => return error,
    };
    let (timeout, doing) = (shared.connecting.timeout(), "cannot listen to the PostgreSQL");
    // Not every server that speaks this protocol can; asking finds the same, later.
    if let Err(error) = timed(timeout, doing, client.batch_execute(&format!("LISTEN {CHANNEL}"))).await
        && error.trouble() == Trouble::Unreachable
    {
        return error;
    }
    loop {
        match tables::version(&client, timeout).await {
            Ok(version) => {
                reached();
                shared.version.send_if_modified(|known| known.replace(version) != Some(version));
            }
            Err(error) => return error,
        }
        // Elapsed or told, the version is looked at.
        let _ = tokio::time::timeout(update_frequency, told.notified()).await;
    }
}
