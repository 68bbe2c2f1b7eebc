//! Where the configuration is kept, by the settings.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use towergate_config::{
    Settings,
    settings::{self, Database, Origin},
};
use towergate_store::{
    LastGood, Migrate, Off, Phase, Postgres, PostgresSettings, Seal, SealKey, Snapshot, Sqlite, Store, StoreError,
};

use crate::{last_good, sources::Sources, tls};

/// The file of the last configuration without a database, in the prefix.
const KEPT: &str = "configuration.json";

/// Opens the store that the settings name, ready to be used. An embedded one gets its tables here; those
/// of a PostgreSQL are for `towergate migrations`.
///
/// # Errors
/// What keeps it from being used, and what would help.
pub(crate) async fn open(settings: &Settings, patience: Patience) -> Result<Arc<dyn Store>, String> {
    let said = |error: towergate_store::StoreError| error.to_string();
    match &settings.database {
        Database::Off => Ok(Arc::new(off(settings, Off::open)?)),
        Database::Sqlite(path) => {
            let sqlite = sqlite(settings, path)?;
            for phase in [Phase::Bootstrap, Phase::Up, Phase::Finish] {
                sqlite.run(phase).await.map_err(said)?;
            }
            Ok(Arc::new(sqlite))
        }
        Database::Postgres(found) => {
            let postgres = postgres(settings, found, patience)?;
            postgres.migrations().await.and_then(|migrations| migrations.check()).map_err(said)?;
            Ok(Arc::new(postgres))
        }
    }
}

/// The store of a gateway that starts.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    /// What to start with if the store is gone.
    pub(crate) instead: Option<Snapshot>,
    /// Where what is in force is to be kept for that.
    pub(crate) copy: Option<LastGood>,
}

/// Opens the store of a gateway that starts. Without a database a declarative configuration counts more than
/// what was kept, which is not even read then. A PostgreSQL that is gone is waited for by a gateway that runs.
///
/// # Errors
/// As [`open`].
pub(crate) async fn open_to_start(sources: &Sources) -> Result<Opened, String> {
    let settings = &sources.settings;
    let store: Arc<dyn Store> = match &settings.database {
        Database::Off if sources.has_declarative() => Arc::new(off(settings, |path, seal| Ok(Off::anew(path, seal)))?),
        Database::Postgres(found) => {
            let (postgres, copy) = (postgres(settings, found, Patience::default())?, last_good::of(settings)?);
            let usable = postgres.migrations().await.and_then(|migrations| migrations.check());
            let instead = usable.err().map(|error| last_good::instead(copy.as_ref(), error)).transpose()?;
            return Ok(Opened { store: Arc::new(postgres), instead, copy });
        }
        _ => open(settings, Patience::default()).await?,
    };
    Ok(Opened { store, instead: None, copy: None })
}

/// How long a command waits; without, what the settings say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Patience {
    /// For each answer.
    pub(crate) database: Option<Duration>,
    /// For a node that changes the tables.
    pub(crate) lock: Option<Duration>,
}

impl Patience {
    /// Much may be read or written at once, and no client waits for it.
    pub(crate) fn of_a_command() -> Self {
        Self { database: Some(Duration::from_secs(60)), lock: None }
    }
}

/// The store whose tables `towergate migrations` is for.
///
/// # Errors
/// There is none without a database; or what keeps it from being used.
pub(crate) fn migrate(settings: &Settings, patience: Patience) -> Result<Box<dyn Migrate>, String> {
    match &settings.database {
        Database::Off => Err("'towergate migrations' only works with a database; see the setting database".to_owned()),
        Database::Sqlite(path) => Ok(Box::new(sqlite(settings, path)?)),
        Database::Postgres(found) => Ok(Box::new(postgres(settings, found, patience)?)),
    }
}

/// What can be told of the settings of the store without opening it.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn check(settings: &Settings) -> Result<(), String> {
    seal(settings).map(drop)
}

/// As with the pid file, nothing is kept when the prefix is the default one and it may not be made.
fn off(settings: &Settings, open: impl Fn(PathBuf, Seal) -> Result<Off, StoreError>) -> Result<Off, String> {
    let made = fs::create_dir_all(&settings.prefix).and_then(|()| tempfile::tempfile_in(&settings.prefix));
    match made {
        Ok(_) => open(settings.prefix.join(KEPT), seal(settings)?).map_err(|error| error.to_string()),
        Err(_) if settings.origin("prefix") == Origin::Default => Ok(Off::in_memory()),
        Err(error) => {
            let folder = settings.prefix.display();
            Err(format!("cannot write to {folder}: {error}; choose another folder with --prefix"))
        }
    }
}

/// How often changes by other processes are looked for in a file: it costs next to nothing.
const LOOK: Duration = Duration::from_millis(500);

fn sqlite(settings: &Settings, path: &Path) -> Result<Sqlite, String> {
    let frequency = settings.keeping.update_frequency.min(LOOK);
    Sqlite::open(path, seal(settings)?, frequency).map_err(|error| error.to_string())
}

/// The lock is waited for as long as Kong's commands do.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

fn postgres(settings: &Settings, found: &settings::Postgres, patience: Patience) -> Result<Postgres, String> {
    Ok(Postgres::new(reached(settings, found, patience)?, seal(settings)?))
}

fn reached(settings: &Settings, found: &settings::Postgres, patience: Patience) -> Result<PostgresSettings, String> {
    let tls = found.ssl.then(|| tls::towards_database(settings, found.ssl_verify)).transpose()?;
    // As in Kong, commands ask the server itself: what they write must go with what is there now.
    let replica = found.replica.as_ref().filter(|_| patience.database.is_none());
    let replica = replica.map(|replica| reached(settings, replica, patience).map(Box::new)).transpose()?;
    let settings::Postgres { host, port, database, schema, user, password, timeout, .. } = found.clone();
    Ok(PostgresSettings {
        host,
        port,
        database,
        schema,
        user,
        password,
        timeout: patience.database.unwrap_or(timeout),
        tls,
        update_frequency: settings.keeping.update_frequency,
        lock_timeout: patience.lock.unwrap_or(LOCK_TIMEOUT),
        replica,
    })
}

/// The keys for secrets.
///
/// # Errors
/// One that is none.
pub(crate) fn seal(settings: &Settings) -> Result<Seal, String> {
    let wrong = |why: String| format!("{}: store_encryption_key: {why}", settings.origin("store_encryption_key"));
    let keys = settings.keeping.encryption_keys.iter().map(|given| key(given));
    keys.collect::<Result<Vec<_>, _>>().map(Seal::new).map_err(wrong)
}

/// A key as written, or in the file that is named.
fn key(given: &str) -> Result<SealKey, String> {
    let path = Path::new(given);
    if !path.is_absolute() {
        return SealKey::parse(given).map_err(|why| why + "; or the path of a file that holds one, from the root");
    }
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {given}: {error}"))?;
    SealKey::parse(&text).map_err(|why| format!("{given}: {why}"))
}
