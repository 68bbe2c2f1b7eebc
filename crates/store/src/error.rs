//! What goes wrong with a store.

use std::{error::Error, fmt};

/// Why a store did not do what it was asked.
#[derive(Debug)]
pub struct StoreError {
    trouble: Trouble,
    message: String,
}

/// Whose side it is on, and whether another attempt makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is not in reach or does not answer in time. It may later.
    Unreachable,
    /// Its tables are not there or not those of this version: `towergate migrations` makes them so.
    Unprepared,
    /// What is encrypted in it cannot be read with the keys that are set.
    Key,
    /// It answers, but not as it should; or the disk does not.
    Failed,
}

impl StoreError {
    pub(crate) fn new(trouble: Trouble, message: impl Into<String>) -> Self {
        Self { trouble, message: message.into() }
    }

    pub(crate) fn failed(doing: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::new(Trouble::Failed, format!("{doing}: {error}"))
    }

    /// Whose side it is on.
    #[must_use]
    pub const fn trouble(&self) -> Trouble {
        self.trouble
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {}

/// Why changes were not taken.
#[derive(Debug)]
pub enum CommitError {
    /// The store has another version than the writer has seen: follow the changes, check again, try again.
    Conflict,
    /// The store did not do it, or could not say whether it did.
    Store(StoreError),
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("somebody else has changed the configuration at the same time"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for CommitError {}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
