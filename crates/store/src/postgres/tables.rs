//! What is read from the tables and written to them, inside a transaction.

use std::time::Duration;

use tokio_postgres::{Client, IsolationLevel, Row as SqlRow, Transaction, types::ToSql};
use uuid::Uuid;

use super::connect::{CHANNEL, timed};
use crate::{
    Change, Changes, Commit, News, Seal, Snapshot, StoreError, Version,
    held::REMEMBERED,
    rows::{self, Row, Written},
};

const READING: &str = "cannot read the configuration from the PostgreSQL";
const WRITING: &str = "cannot commit to the PostgreSQL";

/// What is known of all entities together.
struct State {
    version: Version,
    /// Changes after this version are told one by one.
    told_after: Version,
    hash: Option<String>,
}

impl State {
    /// `lock` is what follows in SQL.
    async fn read(transaction: &Transaction<'_>, timeout: Duration, lock: &str) -> Result<Self, StoreError> {
        let query = format!("SELECT version, told_after, hash FROM towergate_state {lock}");
        let row = timed(timeout, READING, transaction.query_one(&query, &[])).await?;
        Ok(Self {
            version: version_of(column(&row, 0)?),
            told_after: version_of(column(&row, 1)?),
            hash: column(&row, 2)?,
        })
    }
}

/// The version alone.
pub(super) async fn version(client: &Client, timeout: Duration) -> Result<Version, StoreError> {
    let row = timed(timeout, READING, client.query_one("SELECT version FROM towergate_state", &[])).await?;
    Ok(version_of(column(&row, 0)?))
}

/// A transaction that sees one version only.
pub(super) async fn reading(client: &mut Client, timeout: Duration) -> Result<Transaction<'_>, StoreError> {
    let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    timed(timeout, READING, transaction.start()).await
}

/// What has changed after a version.
pub(super) async fn news(
    transaction: &Transaction<'_>,
    timeout: Duration,
    after: Version,
    seal: &Seal,
) -> Result<News, StoreError> {
    let State { version, told_after, .. } = State::read(transaction, timeout, "").await?;
    if after < told_after || after > version {
        return snapshot(transaction, timeout, seal).await.map(News::Everything);
    }
    Ok(News::Changes { version, changes: changes(transaction, timeout, after, seal).await? })
}

/// Everything.
pub(super) async fn snapshot(
    transaction: &Transaction<'_>,
    timeout: Duration,
    seal: &Seal,
) -> Result<Snapshot, StoreError> {
    let state = State::read(transaction, timeout, "").await?;
    let query = "SELECT kind, id, entity::text, key FROM towergate_entities";
    let read = timed(timeout, READING, transaction.query(query, &[])).await?;
    let row = |row: &SqlRow| {
        Ok::<_, StoreError>(Row {
            kind: column(row, 0)?,
            id: column(row, 1)?,
            entity: column(row, 2)?,
            key: column(row, 3)?,
        })
    };
    let entities = rows::entities(read.iter().map(row).collect::<Result<_, _>>()?, seal)?;
    Ok(Snapshot { version: state.version, hash: state.hash, entities })
}

async fn changes(
    transaction: &Transaction<'_>,
    timeout: Duration,
    after: Version,
    seal: &Seal,
) -> Result<Vec<Change>, StoreError> {
    let query = "SELECT changed.kind, changed.id, entity::text, key \
                 FROM (SELECT DISTINCT kind, id FROM towergate_changes WHERE version > $1) AS changed \
                 LEFT JOIN towergate_entities AS kept ON kept.kind = changed.kind AND kept.id = changed.id";
    let read = timed(timeout, READING, transaction.query(query, &[&number(after)])).await?;
    let change = |row: &SqlRow| rows::change(column(row, 0)?, column(row, 1)?, column(row, 2)?, column(row, 3)?, seal);
    let mut changes = read.iter().map(change).collect::<Result<Vec<_>, _>>()?;
    changes.sort_by_key(Change::place);
    Ok(changes)
}

/// Takes a commit; answers the version it leads to, or none if it is a conflict. Whoever commits at the
/// same time waits at the row of the state.
pub(super) async fn take(
    transaction: &Transaction<'_>,
    timeout: Duration,
    commit: Commit,
    seal: &Seal,
) -> Result<Option<Version>, StoreError> {
    let before = State::read(transaction, timeout, "FOR UPDATE").await?;
    if before.version != commit.seen {
        return Ok(None);
    }
    let to = Writing { transaction, timeout, version: before.version.next() };
    let oldest = Version(to.version.0.saturating_sub(REMEMBERED));
    let told_after = match commit.changes {
        Changes::All(entities) => {
            to.run("DELETE FROM towergate_entities", &[]).await?;
            to.put(Written::all(entities, seal)?.put).await?;
            to.version
        }
        Changes::Some(changes) => {
            let written = Written::of(changes, seal)?;
            let is_told = written.is_told();
            if is_told {
                to.remember(&written).await?;
            }
            to.delete(written.deleted).await?;
            to.put(written.put).await?;
            if is_told { before.told_after.max(oldest) } else { to.version }
        }
    };
    to.finish(told_after, commit.hash).await?;
    Ok(Some(to.version))
}

/// A commit on its way.
struct Writing<'a> {
    transaction: &'a Transaction<'a>,
    timeout: Duration,
    version: Version,
}

impl Writing<'_> {
    async fn run(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<(), StoreError> {
        timed(self.timeout, WRITING, self.transaction.execute(statement, parameters)).await.map(drop)
    }

    async fn put(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let (mut kinds, mut ids, mut entities, mut keys) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in rows {
            kinds.push(row.kind);
            ids.push(row.id);
            entities.push(row.entity);
            keys.push(row.key);
        }
        let statement = "INSERT INTO towergate_entities (kind, id, entity, key) \
                         SELECT kind, id, entity::json, key \
                         FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[]) AS new (kind, id, entity, key) \
                         ON CONFLICT (kind, id) DO UPDATE SET entity = EXCLUDED.entity, key = EXCLUDED.key";
        self.run(statement, &[&kinds, &ids, &entities, &keys]).await
    }

    async fn delete(&self, deleted: Vec<(String, Uuid)>) -> Result<(), StoreError> {
        if deleted.is_empty() {
            return Ok(());
        }
        let (kinds, ids): (Vec<_>, Vec<_>) = deleted.into_iter().unzip();
        let statement = "DELETE FROM towergate_entities AS kept USING unnest($1::text[], $2::uuid[]) AS gone (kind, id) \
                         WHERE kept.kind = gone.kind AND kept.id = gone.id";
        self.run(statement, &[&kinds, &ids]).await
    }

    async fn remember(&self, written: &Written) -> Result<(), StoreError> {
        let (kinds, ids): (Vec<_>, Vec<_>) = written.names().unzip();
        let statement = "INSERT INTO towergate_changes (version, kind, id) \
                         SELECT $1, kind, id FROM unnest($2::text[], $3::uuid[]) AS changed (kind, id)";
        self.run(statement, &[&number(self.version), &kinds, &ids]).await
    }

    /// The new state; others are told of it when the transaction is committed.
    async fn finish(&self, told_after: Version, hash: Option<String>) -> Result<(), StoreError> {
        let told_after = number(told_after);
        self.run("DELETE FROM towergate_changes WHERE version <= $1", &[&told_after]).await?;
        let statement = "UPDATE towergate_state SET version = $1, told_after = $2, hash = $3";
        self.run(statement, &[&number(self.version), &told_after, &hash]).await?;
        self.run("SELECT pg_notify($1, '')", &[&CHANNEL]).await
    }
}

fn column<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a SqlRow, index: usize) -> Result<T, StoreError> {
    row.try_get(index).map_err(|error| StoreError::failed(READING, error))
}

fn version_of(number: i64) -> Version {
    Version(u64::try_from(number).unwrap_or_default())
}

fn number(version: Version) -> i64 {
    i64::try_from(version.0).unwrap_or(i64::MAX)
}
