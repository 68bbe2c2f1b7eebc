//! What is read from the tables and written to them, inside a transaction.

use rusqlite::{Row as SqlRow, Transaction, params};
use uuid::Uuid;

use super::thread::Failure;
use crate::{
    Change, Changes, Commit, News, Seal, Snapshot, Version,
    held::REMEMBERED,
    rows::{self, Row, Written},
};

/// What is known of all entities together.
pub(super) struct State {
    pub(super) version: Version,
    /// Changes after this version are told one by one.
    told_after: Version,
    hash: Option<String>,
}

impl State {
    pub(super) fn read(transaction: &Transaction<'_>) -> rusqlite::Result<Self> {
        transaction.query_row("SELECT version, told_after, hash FROM towergate_state", [], |row| {
            Ok(Self { version: version(row.get(0)?), told_after: version(row.get(1)?), hash: row.get(2)? })
        })
    }

    fn write(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let values = params![number(self.version), number(self.told_after), self.hash];
        transaction.execute("UPDATE towergate_state SET version = ?, told_after = ?, hash = ?", values)?;
        transaction.execute("DELETE FROM towergate_changes WHERE version <= ?", [number(self.told_after)])?;
        Ok(())
    }
}

/// What has changed after a version.
pub(super) fn news(transaction: &Transaction<'_>, after: Version, seal: &Seal) -> Result<News, Failure> {
    let State { version, told_after, .. } = State::read(transaction)?;
    if after < told_after || after > version {
        return snapshot(transaction, seal).map(News::Everything);
    }
    Ok(News::Changes { version, changes: changes(transaction, after, seal)? })
}

/// Everything.
pub(super) fn snapshot(transaction: &Transaction<'_>, seal: &Seal) -> Result<Snapshot, Failure> {
    let state = State::read(transaction)?;
    let mut statement = transaction.prepare("SELECT kind, id, entity, key FROM towergate_entities")?;
    let rows = statement
        .query_map([], |row| Ok(Row { entity: row.get(2)?, key: row.get(3)?, kind: row.get(0)?, id: id(row)? }))?;
    let entities = rows::entities(rows.collect::<Result<_, _>>()?, seal)?;
    Ok(Snapshot { version: state.version, hash: state.hash, entities })
}

fn changes(transaction: &Transaction<'_>, after: Version, seal: &Seal) -> Result<Vec<Change>, Failure> {
    let mut statement = transaction.prepare(
        "SELECT DISTINCT changed.kind, changed.id, entity, key FROM towergate_changes AS changed \
         LEFT JOIN towergate_entities AS kept ON kept.kind = changed.kind AND kept.id = changed.id \
         WHERE changed.version > ?",
    )?;
    let read = statement.query_map([number(after)], |row| Ok((row.get(0)?, id(row)?, row.get(2)?, row.get(3)?)))?;
    let mut changes = Vec::new();
    for row in read {
        let (kind, id, entity, key): (String, Uuid, Option<String>, Option<String>) = row?;
        changes.push(rows::change(kind, id, entity, key, seal)?);
    }
    changes.sort_by_key(Change::place);
    Ok(changes)
}

/// Takes a commit; answers the version it leads to, or none if it is a conflict.
pub(super) fn take(transaction: &Transaction<'_>, commit: Commit, seal: &Seal) -> Result<Option<Version>, Failure> {
    let before = State::read(transaction)?;
    if before.version != commit.seen {
        return Ok(None);
    }
    let version = before.version.next();
    let oldest = Version(version.0.saturating_sub(REMEMBERED));
    let told_after = match commit.changes {
        Changes::All(entities) => {
            transaction.execute("DELETE FROM towergate_entities", [])?;
            put(transaction, Written::all(entities, seal)?.put)?;
            version
        }
        Changes::Some(changes) => {
            let written = Written::of(changes, seal)?;
            let is_told = written.is_told();
            if is_told {
                remember(transaction, version, &written)?;
            }
            delete(transaction, &written.deleted)?;
            put(transaction, written.put)?;
            if is_told { before.told_after.max(oldest) } else { version }
        }
    };
    State { version, told_after, hash: commit.hash }.write(transaction)?;
    Ok(Some(version))
}

fn put(transaction: &Transaction<'_>, rows: Vec<Row>) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare(
        "INSERT INTO towergate_entities (kind, id, entity, key) VALUES (?, ?, ?, ?) \
         ON CONFLICT (kind, id) DO UPDATE SET entity = excluded.entity, key = excluded.key",
    )?;
    for row in rows {
        statement.execute(params![row.kind, row.id.to_string(), row.entity, row.key])?;
    }
    Ok(())
}

fn delete(transaction: &Transaction<'_>, deleted: &[(String, Uuid)]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare("DELETE FROM towergate_entities WHERE kind = ? AND id = ?")?;
    for (kind, id) in deleted {
        statement.execute(params![kind, id.to_string()])?;
    }
    Ok(())
}

fn remember(transaction: &Transaction<'_>, version: Version, written: &Written) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare("INSERT INTO towergate_changes (version, kind, id) VALUES (?, ?, ?)")?;
    for (kind, id) in written.names() {
        statement.execute(params![number(version), kind, id.to_string()])?;
    }
    Ok(())
}

fn id(row: &SqlRow<'_>) -> rusqlite::Result<Uuid> {
    let text: String = row.get(1)?;
    text.parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error)))
}

fn version(number: i64) -> Version {
    Version(u64::try_from(number).unwrap_or_default())
}

fn number(version: Version) -> i64 {
    i64::try_from(version.0).unwrap_or(i64::MAX)
}
