//! One thing that is wrong with a value.

use std::fmt;

use crate::path::Path;

/// The field name under which Kong reports problems of a record as a whole.
pub const ENTITY: &str = "@entity";

/// One thing that is wrong: where, and what, in Kong's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is. A problem of a record as a whole ends in the key `@entity`.
    pub path: Path,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    /// A problem at a path.
    #[must_use]
    pub fn new(path: Path, message: impl Into<String>) -> Self {
        Self { path, message: message.into() }
    }

    /// A problem of a field, named with dots from the record that is being checked: `redis.host`.
    #[must_use]
    pub fn field(name: &str, message: impl Into<String>) -> Self {
        Self::new(Path::dotted(name), message)
    }

    /// A problem of the record that is being checked, as a whole.
    #[must_use]
    pub fn entity(message: impl Into<String>) -> Self {
        Self::new(Path::root().key(ENTITY), message)
    }

    /// The same problem, told from further out.
    #[must_use]
    pub fn under(self, prefix: &Path) -> Self {
        Self { path: prefix.clone().join(self.path), message: self.message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_root() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

impl std::error::Error for Problem {}
