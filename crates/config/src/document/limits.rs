//! How much a text may ask of us before it is refused.

use super::{Position, SyntaxError};

/// Bounds on a document. A text that crosses one is refused at once, with the bound named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of text. Default 64 MiB.
    pub max_bytes: usize,
    /// Deepest nesting of lists and mappings. Default 64.
    pub max_depth: usize,
    /// Most values that YAML aliases may add for each byte of text. Default 2.
    ///
    /// An alias repeats what its anchor holds, so a few hundred bytes could otherwise ask for
    /// billions of values. Ten thousand are always allowed, two million never exceeded.
    pub max_alias_values_per_byte: usize,
}

const ALIAS_VALUES_ALWAYS: usize = 10_000;
const ALIAS_VALUES_NEVER_ABOVE: usize = 2_000_000;

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_depth: 64, max_alias_values_per_byte: 2 }
    }
}

impl Limits {
    pub(super) fn check_size(&self, bytes: usize) -> Result<(), SyntaxError> {
        if bytes <= self.max_bytes {
            return Ok(());
        }
        let message = format!("the text has {bytes} bytes, more than the {} allowed", self.max_bytes);
        Err(SyntaxError { at: Position::new(1, 1), message })
    }

    pub(super) fn check_depth(&self, depth: usize, at: Position) -> Result<(), SyntaxError> {
        if depth <= self.max_depth {
            return Ok(());
        }
        let message = format!("nested more than {} levels deep", self.max_depth);
        Err(SyntaxError { at, message })
    }

    pub(super) fn alias_budget(&self, bytes: usize) -> usize {
        bytes.saturating_mul(self.max_alias_values_per_byte).clamp(ALIAS_VALUES_ALWAYS, ALIAS_VALUES_NEVER_ABOVE)
    }
}
