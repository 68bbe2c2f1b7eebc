#![doc = include_str!("../README.md")]

mod error;
mod file;
mod held;
mod off;
mod store;

pub use error::{CommitError, StoreError, Trouble};
pub use off::Off;
pub use store::{Answer, Change, Changes, Commit, Entity, News, Snapshot, Store, Version};
