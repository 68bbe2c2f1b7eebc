//! The tables in PostgreSQL.

use tokio_postgres::{Client, GenericClient, Transaction};

use super::{
    Postgres, Shared,
    connect::{quoted, timed},
};
use crate::{
    Answer, Migrate, Migrations, Phase, StoreError, Trouble,
    migrate::steps::{Step, plan},
};

const STEPS: [Step; 1] = [Step { name: "000_base", up: include_str!("000_base.sql"), finish: "" }];

const RECORDS: &str = "CREATE TABLE towergate_migrations (
    name text PRIMARY KEY,
    finished boolean NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
)";

/// Who holds this lock runs migrations; any number that nobody else of the database uses.
const LOCK: i64 = 0x746f_7765_7267_6174;

impl Migrate for Postgres {
    fn migrations(&self) -> Answer<'_, Result<Migrations, StoreError>> {
        Box::pin(async {
            let lease = match (self.shared.lease().await, &self.shared.replica) {
                // A replica's tables are the same.
                (Err(error), Some(replica)) if error.trouble() == Trouble::Unreachable => {
                    let client = replica.connect(|| {}).await.map_err(|_| error)?;
                    return state(&client, &self.shared).await;
                }
                (lease, _) => lease?,
            };
            let state = state(&lease.client, &self.shared).await?;
            lease.put_back();
            Ok(state)
        })
    }

    fn run(&self, phase: Phase) -> Answer<'_, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let mut lease = self.shared.lease().await?;
            let run = run(&mut lease.client, &self.shared, phase).await?;
            lease.put_back();
            Ok(run)
        })
    }
}

const DOING: &str = "cannot run migrations";

/// All in one transaction: whoever dies on the way leaves nothing half done, and no lock.
async fn run(client: &mut Client, shared: &Shared, phase: Phase) -> Result<Vec<String>, StoreError> {
    let timeout = shared.connecting.timeout();
    let transaction = timed(timeout, DOING, client.transaction()).await?;
    lock(&transaction, shared).await?;
    let state = state(&transaction, shared).await?;
    let planned = plan(&STEPS, &state, phase)?;
    let mut script = String::new();
    if phase == Phase::Reset {
        for table in ["migrations", "state", "entities", "changes"] {
            script += &format!("DROP TABLE IF EXISTS towergate_{table};");
        }
    }
    if phase == Phase::Bootstrap && state.needs_bootstrap {
        script += &schema(&transaction, shared).await?;
        script += RECORDS;
        script += ";";
    }
    for run in &planned {
        script += &run.statements;
        script += &format!(
            "INSERT INTO towergate_migrations (name, finished) VALUES ('{}', {}) \
             ON CONFLICT (name) DO UPDATE SET finished = EXCLUDED.finished, at = now();",
            run.name, run.finished
        );
    }
    timed(timeout, DOING, transaction.batch_execute(&script)).await?;
    timed(timeout, DOING, transaction.commit()).await?;
    Ok(planned.into_iter().map(|run| run.name.to_owned()).collect())
}

/// Waits for a node that runs migrations now. The lock ends with the transaction.
async fn lock(transaction: &Transaction<'_>, shared: &Shared) -> Result<(), StoreError> {
    let settings = shared.connecting.settings();
    let (patience, timeout) = (settings.lock_timeout.as_millis(), settings.timeout);
    let statement = format!(
        "SET LOCAL lock_timeout = {patience}; SET LOCAL statement_timeout = {patience}; \
         SELECT pg_advisory_xact_lock({LOCK}); SET LOCAL statement_timeout = {}",
        timeout.as_millis()
    );
    let doing = "aborted: another node is performing database changes";
    timed(settings.lock_timeout.saturating_add(timeout), doing, transaction.batch_execute(&statement)).await
}

/// What makes the schema, if there is one to make: to make one that is there is not allowed to everybody.
async fn schema(transaction: &Transaction<'_>, shared: &Shared) -> Result<String, StoreError> {
    let Some(schema) = shared.connecting.settings().schema.as_deref().map(quoted) else {
        return Ok(String::new());
    };
    let missing = "SELECT to_regnamespace($1) IS NULL";
    let row = timed(shared.connecting.timeout(), DOING, transaction.query_one(missing, &[&schema])).await?;
    let is_missing = row.try_get(0).map_err(|error| StoreError::failed(DOING, error))?;
    Ok(if is_missing { format!("CREATE SCHEMA {schema};") } else { String::new() })
}

async fn state(client: &impl GenericClient, shared: &Shared) -> Result<Migrations, StoreError> {
    let (timeout, doing) = (shared.connecting.timeout(), "cannot read the migrations");
    // Not to_regclass: it may still remember that there was no table before the lock was waited for.
    let exist = "SELECT count(*) > 0 FROM pg_class WHERE relname = 'towergate_migrations' AND pg_table_is_visible(oid)";
    let row = timed(timeout, doing, client.query_one(exist, &[])).await?;
    if !row.try_get::<_, bool>(0).map_err(|error| StoreError::failed(doing, error))? {
        return Ok(Migrations::of(&STEPS, None));
    }
    let read = client.query("SELECT name, finished FROM towergate_migrations", &[]);
    let step = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
    let recorded =
        timed(timeout, doing, read).await?.iter().map(step).collect::<Result<Vec<_>, tokio_postgres::Error>>();
    Ok(Migrations::of(&STEPS, Some(&recorded.map_err(|error| StoreError::failed(doing, error))?)))
}
