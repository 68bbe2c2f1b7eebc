//! The way of a change: tried on the configuration, compiled, committed to the store, put into force.

use std::sync::Arc;

use towergate_config::{Catalog, Config, Edit, Options, Refusal};
use towergate_runtime::{CompileProblem, Prepared};
use towergate_schema::{Path, Problem};
use towergate_store::{Change, CommitError};

use crate::{
    Admin, ConfigureError,
    configured::{aside, named},
    entities::Denied,
};

/// So often a change is tried again when others were faster.
const ATTEMPTS: u32 = 100;

impl Admin {
    /// Whether entities can only be read.
    pub(crate) fn is_read_only(&self) -> bool {
        self.configured.store().kind() == "off"
    }

    /// Makes a change. It may be tried several times, each time on what is in force then.
    ///
    /// It goes on to its end even if nobody waits for it any more.
    pub(crate) async fn change<T: Send + 'static>(
        self: Arc<Self>,
        make: impl Fn(&mut Edit<'_>, &dyn Catalog) -> Result<T, Denied> + Send + Sync + 'static,
    ) -> Result<T, Denied> {
        let changing = tokio::spawn(async move { self.commit(Arc::new(make)).await });
        match changing.await {
            Ok(changed) => changed,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and this future with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    async fn commit<T, F>(&self, make: Arc<F>) -> Result<T, Denied>
    where
        T: Send + 'static,
        F: Fn(&mut Edit<'_>, &dyn Catalog) -> Result<T, Denied> + Send + Sync + 'static,
    {
        let mut held = self.configured.lock().await;
        for _ in 0..ATTEMPTS {
            let (control, before, make) = (self.control.clone(), held.config.clone(), make.clone());
            let (is_read_only, hash) = (self.is_read_only(), named(held.version.next()));
            let tried = aside(move || {
                let tried = Tried::new(&before, control.registry(), is_read_only, &*make)?;
                let Tried { outcome, mut config, changes } = tried;
                if changes.is_empty() {
                    return Ok((outcome, None));
                }
                config.hash = hash;
                let prepared = control.prepare(config).map_err(|problems| refusal(&problems, &changes))?;
                Ok::<_, Denied>((outcome, Some((changes, prepared))))
            });
            let (outcome, ready): (T, Option<(Vec<Change>, Prepared)>) = tried.await?;
            let Some((changes, prepared)) = ready else { return Ok(outcome) };
            match self.configured.commit(&mut held, changes, prepared).await {
                Ok(_) => return Ok(outcome),
                Err(CommitError::Conflict) => {
                    self.configured.catch_up(&mut held).await.map_err(Denied::Failed)?;
                }
                Err(CommitError::Store(error)) => return Err(Denied::Failed(ConfigureError::Store(error))),
            }
        }
        Err(Denied::Said(http::StatusCode::SERVICE_UNAVAILABLE, "Too many others write at the same time"))
    }
}

/// A change made in a copy.
struct Tried<T> {
    outcome: T,
    config: Config,
    changes: Vec<Change>,
}

impl<T> Tried<T> {
    fn new(
        before: &Config,
        catalog: &dyn Catalog,
        is_read_only: bool,
        make: &dyn Fn(&mut Edit<'_>, &dyn Catalog) -> Result<T, Denied>,
    ) -> Result<Self, Denied> {
        let options = Options::default();
        let edit = Edit::new(before.clone(), catalog, &options);
        let mut edit = if is_read_only { edit.read_only() } else { edit };
        let outcome = make(&mut edit, catalog)?;
        let (config, changed) = edit.finish();
        let changes =
            changed.into_iter().map(|changed| Change { kind: changed.kind, id: changed.id, entity: changed.entity });
        Ok(Self { outcome, config, changes: changes.collect() })
    }
}

/// What only shows when policies and routes are made, in the words of a schema. Of an entity that was
/// not changed itself, but no longer goes with what was, it is told which one it is.
fn refusal(problems: &[CompileProblem], changes: &[Change]) -> Denied {
    let told = |problem: &CompileProblem| match changes.iter().any(|change| change.id == problem.id) {
        true => Problem::new(path(&problem.field), problem.message.clone()),
        false => Problem::entity(problem.to_string()),
    };
    Refusal::schema_violation(&problems.iter().map(told).collect::<Vec<_>>()).into()
}

/// The path that is written `config.origins[1]`.
fn path(field: &str) -> Path {
    let steps = field.split(['.', '[', ']']).filter(|step| !step.is_empty());
    steps.fold(Path::root(), |path, step| match step.parse() {
        Ok(index) => path.index(index),
        Err(_) => path.key(step),
    })
}
