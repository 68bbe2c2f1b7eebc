//! What a successful search tells.

/// The rule that won, and what its path condition matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The rule's place in the list given to [`Router::new`](crate::Router::new).
    pub rule: usize,
    /// How many bytes of the path the path condition matched: the prefix, or the whole text of the
    /// regex. `None` if the rule has no path condition.
    pub prefix: Option<usize>,
    /// What the groups of a regex path captured; `None` if it has no groups.
    pub captures: Option<Box<Captures>>,
}

/// The texts that the groups of a regex path captured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captures {
    /// By number, the whole match at 0; a group that took no part is `None`.
    pub(crate) groups: Vec<Option<Box<str>>>,
    pub(crate) names: Vec<(Box<str>, usize)>,
}

impl Captures {
    /// Group `n`, counted from 1; 0 is all that the regex matched.
    #[must_use]
    pub fn at(&self, n: usize) -> Option<&str> {
        self.groups.get(n)?.as_deref()
    }

    /// The group `(?<name>…)`.
    #[must_use]
    pub fn name(&self, name: &str) -> Option<&str> {
        self.names.iter().find(|(known, _)| **known == *name).and_then(|(_, n)| self.at(*n))
    }

    /// How many groups the regex has, the whole match not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.len().saturating_sub(1)
    }

    /// Whether the regex has no groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The groups 1, 2, …; `None` for one that took no part in the match.
    pub fn positional(&self) -> impl Iterator<Item = Option<&str>> {
        self.groups.iter().skip(1).map(Option::as_deref)
    }

    /// The named groups that took part in the match.
    pub fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names.iter().filter_map(|(name, n)| Some((&**name, self.at(*n)?)))
    }
}
