//! What is accepted but not right.

use std::fmt;

use crate::document::Position;

/// Something that loads but will not do what it says, or is probably a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The name of the source; empty when the configuration came as parsed JSON.
    pub source: String,
    /// Where in it; line 0 when unknown.
    pub at: Position,
    /// The path from the top of the document.
    pub path: String,
    /// What is the matter, and what would be right.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.line > 0 {
            write!(f, "{}:{}:{}: ", self.source, self.at.line, self.at.column)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}
