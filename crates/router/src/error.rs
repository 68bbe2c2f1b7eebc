//! What is wrong with a rule.

use std::fmt;

/// One thing in one rule that cannot be used, and what could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// The rule's place in the list given to [`Router::new`](crate::Router::new), from 0.
    pub rule: usize,
    /// Where in the rule, such as `paths[1]` or `headers.x-version[0]`.
    pub field: String,
    /// What is wrong and what would be right, for a person.
    pub message: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}: {}: {}", self.rule, self.field, self.message)
    }
}

impl std::error::Error for RuleError {}

/// Collects the problems of one rule while it is read.
#[derive(Debug)]
pub(crate) struct Problems {
    rule: usize,
    found: Vec<RuleError>,
}

impl Problems {
    pub(crate) const fn of(rule: usize) -> Self {
        Self { rule, found: Vec::new() }
    }

    pub(crate) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.found.push(RuleError { rule: self.rule, field: field.into(), message: message.into() });
    }

    /// The value, or nothing and one problem more.
    pub(crate) fn keep<T>(&mut self, field: impl FnOnce() -> String, read: Result<T, String>) -> Option<T> {
        read.map_err(|message| self.add(field(), message)).ok()
    }

    pub(crate) fn into_found(self) -> Vec<RuleError> {
        self.found
    }
}
