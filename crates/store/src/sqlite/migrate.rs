//! The tables in SQLite.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{Sqlite, thread::Failure};
use crate::{
    Answer, Migrate, Migrations, Phase, StoreError,
    migrate::steps::{Step, plan},
};

const STEPS: [Step; 1] = [Step { name: "000_base", up: include_str!("000_base.sql"), finish: "" }];

const RECORDS: &str = "CREATE TABLE towergate_migrations (
    name TEXT PRIMARY KEY,
    finished INTEGER NOT NULL
)";

impl Migrate for Sqlite {
    fn migrations(&self) -> Answer<'_, Result<Migrations, StoreError>> {
        self.thread.ask("cannot read the migrations", |connection| Ok(state(&connection.transaction()?)?))
    }

    fn run(&self, phase: Phase) -> Answer<'_, Result<Vec<String>, StoreError>> {
        self.thread.ask("cannot run migrations", move |connection| run(connection, phase))
    }
}

/// All in one transaction, which keeps others waiting; a table in SQLite is made or not like any row.
fn run(connection: &mut Connection, phase: Phase) -> Result<Vec<String>, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let state = state(&transaction)?;
    let planned = plan(&STEPS, &state, phase)?;
    if phase == Phase::Reset {
        for table in ["migrations", "state", "entities", "changes"] {
            transaction.execute(&format!("DROP TABLE IF EXISTS towergate_{table}"), [])?;
        }
    }
    if phase == Phase::Bootstrap && state.needs_bootstrap {
        transaction.execute(RECORDS, [])?;
    }
    for run in &planned {
        transaction.execute_batch(&run.statements)?;
        let recorded = "INSERT INTO towergate_migrations (name, finished) VALUES (?, ?) \
                        ON CONFLICT (name) DO UPDATE SET finished = excluded.finished";
        transaction.execute(recorded, params![run.name, run.finished])?;
    }
    transaction.commit()?;
    Ok(planned.into_iter().map(|run| run.name.to_owned()).collect())
}

fn state(transaction: &Transaction<'_>) -> rusqlite::Result<Migrations> {
    let exist = "SELECT count(*) FROM sqlite_master WHERE name = 'towergate_migrations'";
    if transaction.query_row(exist, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(Migrations::of(&STEPS, None));
    }
    let mut statement = transaction.prepare("SELECT name, finished FROM towergate_migrations")?;
    let recorded = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<Vec<_>, _>>()?;
    Ok(Migrations::of(&STEPS, Some(&recorded)))
}
