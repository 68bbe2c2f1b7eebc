//! A copy of the configuration in force, for a start while the PostgreSQL it comes from is gone.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use towergate_admin::{Configured, each};
use towergate_config::{
    Settings,
    settings::{Database, Origin, Postgres},
};
use towergate_store::{LastGood, Snapshot, StoreError, Trouble};
use uuid::Uuid;

use crate::store;

/// How often it is looked whether there is something new to keep.
const LOOK: Duration = Duration::from_secs(1);

/// Writing takes this part of the time at most: a large configuration that changes all the time is kept less often.
const SHARE: u32 = 10;

/// The copy of what these settings' PostgreSQL has; `None` with another store, or where the prefix is the default one
/// and not ours to write to.
///
/// # Errors
/// A key that is none.
pub(crate) fn of(settings: &Settings) -> Result<Option<LastGood>, String> {
    let Database::Postgres(found) = &settings.database else { return Ok(None) };
    let is_ours = fs::create_dir_all(&settings.prefix).and_then(|()| tempfile::tempfile_in(&settings.prefix)).is_ok();
    if !is_ours && settings.origin("prefix") == Origin::Default {
        return Ok(None);
    }
    Ok(Some(LastGood::at(path(settings, found), store::seal(settings)?)))
}

/// A name for each database: what was in force with one is not taken for another's.
fn path(settings: &Settings, found: &Postgres) -> PathBuf {
    let Postgres { host, port, database, schema, .. } = found;
    let place = format!("postgres://{host}:{port}/{database}/{}", schema.as_deref().unwrap_or_default());
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, place.as_bytes());
    settings.prefix.join(format!("postgres-{}.json", id.simple()))
}

/// What to start with, now that the PostgreSQL cannot be used.
///
/// # Errors
/// Why it cannot, if it answers, or if nothing was kept.
pub(crate) fn instead(copy: Option<&LastGood>, error: StoreError) -> Result<Snapshot, String> {
    let Some(copy) = copy.filter(|_| error.trouble() == Trouble::Unreachable) else { return Err(error.to_string()) };
    match copy.read() {
        Ok(Some(snapshot)) => {
            tracing::error!(
                "{error}; STARTING WITH THE CONFIGURATION THAT WAS LAST IN FORCE HERE (version {}): nothing can be \
                 changed until the PostgreSQL is in reach again, and is followed then",
                snapshot.version
            );
            Ok(snapshot)
        }
        Ok(None) => Err(format!("{error}; and no configuration was ever in force here to start with instead")),
        Err(unread) => Err(format!("{error}; and {unread}")),
    }
}

/// Keeps what is in force, for as long as the process lives.
pub(crate) async fn keep(copy: LastGood, configured: Arc<Configured>) {
    let (copy, mut kept, mut told) = (Arc::new(copy), None, String::new());
    loop {
        let held = configured.lock().await.clone();
        let mut pause = LOOK;
        if kept != Some(held.version) {
            let (begin, version) = (Instant::now(), held.version);
            let (copy, config) = (copy.clone(), held.config);
            let written = tokio::task::spawn_blocking(move || {
                let hash = config.hash.clone();
                copy.write(version, &hash, each(config))
            });
            match written.await {
                Ok(Ok(())) => kept = Some(version),
                Ok(Err(error)) if error.to_string() != told => {
                    told = error.to_string();
                    tracing::warn!("{told}; a start without the PostgreSQL would begin with an older one");
                }
                _ => {}
            }
            pause = pause.max(begin.elapsed().saturating_mul(SHARE));
        }
        sleep(pause).await;
    }
}
