//! The tables of a database, brought to this version in steps that other nodes can live with.

#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) mod steps;

use crate::{Answer, StoreError, Trouble};

/// A store whose tables are made and changed by [`Phase`]s.
pub trait Migrate: Send + Sync {
    /// Which steps were taken.
    fn migrations(&self) -> Answer<'_, Result<Migrations, StoreError>>;

    /// Runs a phase, alone: of two nodes that begin at once, one waits and finds it done. Answers the
    /// names of the steps that were run.
    fn run(&self, phase: Phase) -> Answer<'_, Result<Vec<String>, StoreError>>;
}

/// What is done to the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Makes all tables, from nothing. Nothing is done where they are.
    Bootstrap,
    /// Adds what this version needs; nodes of the version before go on.
    Up,
    /// Takes away what only the version before needed, once no such node is left.
    Finish,
    /// Runs all steps that were finished once more, to mend tables that somebody has damaged. Nothing
    /// that is in the tables is lost.
    Repeat,
    /// Takes away all tables and all that is in them.
    Reset,
}

/// The steps, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrations {
    /// There are no tables at all.
    pub needs_bootstrap: bool,
    /// Done.
    pub executed: Vec<String>,
    /// Done so far that both versions work: [`Phase::Finish`] is left.
    pub pending: Vec<String>,
    /// Not begun: [`Phase::Up`] is left.
    pub new: Vec<String>,
}

impl Migrations {
    /// Whether this version works with the tables as they are.
    ///
    /// # Errors
    /// What has to be run first, in Kong's words.
    pub fn check(&self) -> Result<(), StoreError> {
        let needed = match (self.needs_bootstrap, self.new.is_empty()) {
            (true, _) => "Database needs bootstrapping; run 'towergate migrations bootstrap'",
            (false, false) => "New migrations available; run 'towergate migrations up' to proceed",
            (false, true) => return Ok(()),
        };
        Err(StoreError::new(Trouble::Unprepared, needed))
    }
}
