//! What stands under a name in one place of a request.

use std::borrow::Cow;

/// What stands under a name in one place of a request: its headers, its query, its body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Value<'a> {
    /// Nothing.
    #[default]
    Absent,
    /// One text, possibly empty, possibly not UTF-8.
    Text(Cow<'a, [u8]>),
    /// Something that is neither text nor several (`?apikey` without `=`, a JSON number).
    Other,
    /// Several.
    Many,
}

impl<'a> Value<'a> {
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// This and one more of the same name.
    pub(crate) fn and(self, more: Value<'a>) -> Self {
        match self {
            Self::Absent => more,
            _ => Self::Many,
        }
    }
}
