//! The configuration that was last in force, in a file: for a start without the store it came from.

use std::path::PathBuf;

use crate::{Each, Seal, Snapshot, StoreError, Version, file::File};

/// Where the configuration that was last in force is kept beside a store that others share, so that a node can
/// start while that is gone.
///
/// The file is written as [`Off`](crate::Off) writes its own: as a whole or not at all, readable by its owner alone, secrets
/// encrypted if there is a key.
#[derive(Debug)]
pub struct LastGood(File);

impl LastGood {
    /// In this file.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>, seal: Seal) -> Self {
        Self(File { path: path.into(), seal })
    }

    /// What is kept; `None` if nothing is.
    ///
    /// # Errors
    /// The file is there and cannot be read, or its secrets not be decrypted.
    pub fn read(&self) -> Result<Option<Snapshot>, StoreError> {
        self.0.read()
    }

    /// Keeps these entities, which are what the store has at this version, in place of what was kept.
    ///
    /// # Errors
    /// The file cannot be written; it is as it was then.
    pub fn write(&self, version: Version, hash: &str, each: Each) -> Result<(), StoreError> {
        self.0.write_each(version, Some(hash), each)
    }
}
