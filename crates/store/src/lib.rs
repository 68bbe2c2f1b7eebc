#![doc = include_str!("../README.md")]

mod error;
mod file;
mod held;
mod last_good;
mod migrate;
mod off;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod rows;
mod seal;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use error::{CommitError, StoreError, Trouble};
pub use last_good::LastGood;
pub use migrate::{Migrate, Migrations, Phase};
pub use off::Off;
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresSettings};
pub use seal::{Seal, SealKey};
#[cfg(feature = "sqlite")]
pub use sqlite::Sqlite;
pub use store::{Answer, Change, Changes, Commit, Each, Entity, News, Snapshot, Store, Version};
