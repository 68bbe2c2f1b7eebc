//! Where a store keeps what it is given: it can be opened again and again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use towergate_config::Kind;
use towergate_store::{
    Change, Commit, Entity, Migrate as _, Off, Phase, Postgres, PostgresSettings, Seal, Sqlite, Store, StoreError,
    Version,
};
use towergate_tests::postgres::{PASSWORD, USER};
use towergate_tests::{Database, Postgres as Server};
use uuid::Uuid;

/// A place that nothing was put into yet.
pub(crate) enum Place {
    Off(TempDir),
    Sqlite(TempDir),
    Postgres(Database),
}

/// More often than a gateway asks, so that tests take no longer than they must.
const OFTEN: Duration = Duration::from_millis(100);

impl Place {
    pub(crate) fn off() -> Self {
        Self::Off(tempfile::tempdir().unwrap())
    }

    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(Server::database())
    }

    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        self.open_with(Seal::none()).await.unwrap()
    }

    pub(crate) async fn open_with(&self, seal: Seal) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Self::Off(_) => Ok(Arc::new(Off::open(self.path(), seal)?)),
            Self::Sqlite(_) => {
                let store = Sqlite::open(&self.path(), seal, OFTEN)?;
                store.run(Phase::Bootstrap).await?;
                Ok(Arc::new(store))
            }
            Self::Postgres(database) => {
                let store = Postgres::new(reached(database), seal);
                store.run(Phase::Bootstrap).await?;
                Ok(Arc::new(store))
            }
        }
    }

    /// The file, where there is one.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::Off(folder) => folder.path().join("deep/configuration.json"),
            Self::Sqlite(folder) => folder.path().join("deep/configuration.sqlite"),
            Self::Postgres(_) => PathBuf::new(),
        }
    }

    /// All bytes that are kept.
    pub(crate) fn content(&self) -> String {
        let Self::Postgres(database) = self else {
            let folder = self.path().parent().unwrap().to_owned();
            let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
            return files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
        };
        database.ask("SELECT * FROM towergate_entities")
    }
}

/// How the tests reach a database.
pub(crate) fn reached(database: &Database) -> PostgresSettings {
    reached_at(database.server().port(), database.name())
}

pub(crate) fn reached_at(port: u16, database: &str) -> PostgresSettings {
    PostgresSettings {
        host: "127.0.0.1".to_owned(),
        port,
        database: database.to_owned(),
        schema: None,
        user: USER.to_owned(),
        password: Some(PASSWORD.to_owned()),
        timeout: Duration::from_secs(20),
        tls: None,
        // Long enough that what is told in time was told by LISTEN.
        update_frequency: Duration::from_secs(600),
        lock_timeout: Duration::from_secs(20),
        replica: None,
    }
}

pub(crate) fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A consumer as it is kept.
pub(crate) fn consumer(number: u128, name: &str) -> Entity {
    let value = json!({ "id": id(number), "created_at": 1, "username": name, "custom_id": null, "tags": null });
    Entity { kind: Kind::Consumers, id: id(number), value }
}

pub(crate) fn key_of(number: u128, key: &str) -> Entity {
    let value = json!({ "id": id(number), "created_at": 1, "consumer": { "id": id(1) }, "key": key, "tags": null });
    Entity { kind: Kind::KeyauthCredentials, id: id(number), value }
}

pub(crate) fn put(seen: u64, entities: impl IntoIterator<Item = Entity>) -> Commit {
    Commit::of(Version(seen), entities.into_iter().map(Change::from).collect())
}

pub(crate) fn delete(seen: u64, kind: Kind, number: u128) -> Commit {
    Commit::of(Version(seen), vec![Change::delete(kind, id(number))])
}

/// An entity whose fields show whether anything is lost on the way.
pub(crate) fn awkward(number: u128) -> Entity {
    let config: Value = serde_json::from_str(
        r#"{"z": 1, "a": [null, {}, []], "0": 9007199254740993, "text": "\u0000 \" ' \\ Grüße 🦀 \u2028", "f": 1.5, "n": -1e-7}"#,
    )
    .unwrap();
    let value = json!({ "id": id(number), "name": "some", "config": config, "route": null, "enabled": true });
    Entity { kind: Kind::Plugins, id: id(number), value }
}
