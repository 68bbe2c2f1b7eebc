//! The configuration as the store has it, in force on this node; and the one way to change it.

use std::{
    fmt,
    sync::{self, Arc, PoisonError},
    time::Duration,
};

use tokio::sync::{Mutex, MutexGuard};
use towergate_config::{Catalog, Config, Index, Kind, Loaded, Report, Source, Warning, parse, parse_entities};
use towergate_runtime::{CompileProblem, Control, LoadError, Prepared, Runtime, report_load};
use towergate_store::{Change, Commit, CommitError, Each, Entity, News, Snapshot, Store, StoreError, Trouble, Version};

/// The configuration as the store has it, in force on this node.
///
/// Whoever changes it holds [`Configured::lock`]: what is checked against the configuration behind it
/// is checked against exactly the version that the commit names, and what is committed is put into
/// force before anybody else changes it. [`Configured::follow`] does the same with what others commit.
pub struct Configured {
    control: Arc<Control>,
    store: Arc<dyn Store>,
    held: Mutex<Held>,
    index: sync::Mutex<Arc<Index>>,
}

/// Which version of the store is in force here.
#[derive(Clone, Debug)]
pub struct Held {
    /// The version.
    pub version: Version,
    /// Its entities.
    pub config: Arc<Config>,
}

/// Why a configuration could not be replaced, or what is in the store not be put into force.
#[derive(Debug)]
pub enum ConfigureError {
    /// It is wrong.
    Invalid(LoadError),
    /// The store could not be asked.
    Store(StoreError),
}

/// Following begins again after so long, and later each time up to [`SLOWEST`], while the store fails.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(5);

impl Configured {
    /// A configuration that is in force by `control` and is what the store has at `version`.
    #[must_use]
    pub fn new(control: Arc<Control>, store: Arc<dyn Store>, version: Version) -> Self {
        let held = Mutex::new(Held { version, config: control.current().config.clone() });
        let index = sync::Mutex::new(Arc::new(Index::new(control.current().config.clone())));
        Self { control, store, held, index }
    }

    /// What is in force, to look things up in.
    #[must_use]
    pub fn index(&self) -> Arc<Index> {
        let config = self.control.current().config.clone();
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(index.config(), &config) {
            *index = Arc::new(index.renewed(config));
        }
        index.clone()
    }

    /// What puts configurations into force.
    #[must_use]
    pub fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Where the configuration is kept.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Keeps all others from changing the configuration while it is held.
    pub async fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().await
    }

    /// Commits changes that lead from what is held to what was prepared, and puts that into force.
    ///
    /// # Errors
    /// The store's; nothing has changed here then. After a conflict, [`Configured::catch_up`] and
    /// begin again.
    pub async fn commit(
        &self,
        held: &mut Held,
        changes: Vec<Change>,
        prepared: Prepared,
    ) -> Result<Arc<Runtime>, CommitError> {
        let version = self.store.commit(Commit::of(held.version, changes)).await?;
        Ok(self.publish(held, version, prepared))
    }

    /// Reads a configuration and replaces everything by it; answers what is in force then, and what
    /// loads but will not work.
    ///
    /// # Errors
    /// As [`Configured::replace`].
    pub async fn load(&self, sources: Vec<Source>) -> Result<(Arc<Runtime>, Vec<Warning>), ConfigureError> {
        let control = self.control.clone();
        let loading = async {
            let loaded = aside(move || parse(sources, control.registry()).map_err(LoadError::from)).await?;
            Ok((self.replace(loaded.config).await?, loaded.warnings))
        };
        let loaded = loading.await;
        if loaded.is_err() {
            report_load(false);
        }
        loaded
    }

    /// Replaces everything by this configuration, whatever others commit meanwhile.
    ///
    /// # Errors
    /// All problems of the configuration, or the store's; the one before stays in force then.
    pub async fn replace(&self, config: Config) -> Result<Arc<Runtime>, ConfigureError> {
        let mut held = self.lock().await;
        let control = self.control.clone();
        let prepared = aside(move || control.prepare(config)).await?;
        let hash = prepared.config().hash.clone();
        loop {
            match self.store.replace(held.version, hash.clone(), each(prepared.config().clone())).await {
                Ok(version) => return Ok(self.publish(&mut held, version, prepared)),
                Err(CommitError::Conflict) => self.catch_up(&mut held).await?,
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
    }

    /// Puts into force what others have committed since.
    ///
    /// # Errors
    /// The store's, or all problems of what it has; what is held stays in force then.
    pub async fn catch_up(&self, held: &mut Held) -> Result<(), ConfigureError> {
        let news = self.store.since(held.version).await?;
        if matches!(&news, News::Changes { version, .. } if *version == held.version) {
            return Ok(());
        }
        let (control, before) = (self.control.clone(), held.config.clone());
        let (version, prepared) = aside(move || {
            let (version, config) = read(news, &before, control.registry())?;
            Ok::<_, ConfigureError>((version, control.prepare(config)?))
        })
        .await?;
        self.publish(held, version, prepared);
        Ok(())
    }

    /// Follows what others commit, for as long as the process lives. While the store is not in reach,
    /// or has what cannot be put into force, what is held stays in force. What is wrong is told once.
    pub async fn follow(&self) {
        let (mut pause, mut told) = (FIRST_RETRY, String::new());
        loop {
            match self.follow_once().await {
                Ok(()) => (pause, told) = (FIRST_RETRY, String::new()),
                Err(error) => {
                    let error = error.to_string();
                    if error != told {
                        report_load(false);
                        tracing::error!("cannot follow the store, the configuration before stays in force: {error}");
                        told = error;
                    }
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(SLOWEST);
                }
            }
        }
    }

    async fn follow_once(&self) -> Result<(), ConfigureError> {
        let held = self.lock().await.version;
        self.store.changed(held).await?;
        let mut held = self.lock().await;
        let before = held.version;
        self.catch_up(&mut held).await?;
        let is_new = held.version != before;
        drop(held);
        if is_new {
            tracing::info!("configuration follows the store");
        } else {
            // What was told is older than what was committed here: the news is on its way.
            tokio::time::sleep(FIRST_RETRY).await;
        }
        Ok(())
    }

    /// Puts what was prepared into force, and holds it.
    fn publish(&self, held: &mut Held, version: Version, prepared: Prepared) -> Arc<Runtime> {
        let config = prepared.config().clone();
        let runtime = self.control.publish(prepared).unwrap_or_else(|problems| {
            // It compiled before: only what was renewed around it meanwhile can be the cause. The
            // store has it, so that it will be in force with the next change.
            tracing::error!("configuration not put into force: {}", LoadError::from(problems));
            self.control.current()
        });
        report_load(Arc::ptr_eq(&runtime.config, &config));
        *held = Held { version, config };
        runtime
    }
}

/// What the store has, as a configuration: the first of a gateway.
///
/// # Errors
/// All problems of what it has.
pub fn configuration(snapshot: Snapshot, catalog: &dyn Catalog) -> Result<Loaded, Report> {
    let Snapshot { version, hash, entities } = snapshot;
    let mut loaded = parse_entities(entities.into_iter().map(|entity| (entity.kind, entity.value)), catalog)?;
    loaded.config.hash = hash.unwrap_or_else(|| named(version));
    Ok(loaded)
}

/// All entities of a configuration as a store keeps them.
#[must_use]
pub fn entities(config: &Config) -> Vec<Entity> {
    let of_kind = |kind| config.entities(kind).map(move |(id, value)| Entity { kind, id, value });
    Kind::ALL.into_iter().flat_map(of_kind).collect()
}

/// [`entities`], one after the other.
#[must_use]
pub fn each(config: Arc<Config>) -> Each {
    Box::new(move |take| {
        for kind in Kind::ALL {
            config.entities(kind).for_each(|(id, value)| take(Entity { kind, id, value }));
        }
    })
}

fn read(news: News, before: &Config, catalog: &dyn Catalog) -> Result<(Version, Config), ConfigureError> {
    match news {
        News::Everything(snapshot) => {
            let version = snapshot.version;
            let loaded = configuration(snapshot, catalog).map_err(LoadError::from)?;
            Ok((version, loaded.config))
        }
        News::Changes { version, changes } => {
            let changes = changes.into_iter().map(|change| (change.kind, change.id, change.entity));
            let loaded = before.changed(changes, catalog).map_err(LoadError::from)?;
            Ok((version, Config { hash: named(version), ..loaded.config }))
        }
    }
}

/// What a configuration is called that no text was read for: the same on all nodes.
pub(crate) fn named(version: Version) -> String {
    format!("{:032x}", version.0)
}

/// Runs what takes long where it keeps nobody waiting.
pub(crate) async fn aside<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and this future with it.
            Err(_) => std::future::pending().await,
        },
    }
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("store", &self.store).finish_non_exhaustive()
    }
}

impl ConfigureError {
    /// Whether the store may answer later.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Store(error) if error.trouble() == Trouble::Unreachable)
    }
}

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConfigureError {}

impl From<StoreError> for ConfigureError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<LoadError> for ConfigureError {
    fn from(error: LoadError) -> Self {
        Self::Invalid(error)
    }
}

impl From<Vec<CompileProblem>> for ConfigureError {
    fn from(problems: Vec<CompileProblem>) -> Self {
        Self::Invalid(problems.into())
    }
}
