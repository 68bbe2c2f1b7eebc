//! What a successful search tells.

use std::ops::Range;

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
    /// What the regex matched, then the names of its groups: one allocation for all texts.
    text: Box<str>,
    /// By number, the whole match at 0.
    groups: Box<[Group]>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Group {
    /// Where the name is; empty if there is none.
    name: Range<usize>,
    /// Where the value is; `None` if the group took no part.
    value: Option<Range<usize>>,
}

impl Captures {
    /// From the matched text and the groups' names and places in it.
    pub(crate) fn new<'a>(
        matched: &str,
        groups: impl Iterator<Item = (Option<&'a str>, Option<Range<usize>>)> + Clone,
    ) -> Self {
        let names = groups.clone().filter_map(|(name, _)| name);
        let mut text = String::with_capacity(names.map(str::len).sum::<usize>().saturating_add(matched.len()));
        text.push_str(matched);
        let mut group = |(name, value): (Option<&str>, _)| {
            let start = text.len();
            text.push_str(name.unwrap_or_default());
            Group { name: start..text.len(), value }
        };
        let groups = groups.map(&mut group).collect();
        Self { groups, text: text.into() }
    }

    /// Group `n`, counted from 1; 0 is all that the regex matched.
    #[must_use]
    pub fn at(&self, n: usize) -> Option<&str> {
        self.value(self.groups.get(n)?)
    }

    /// The group `(?<name>…)`.
    #[must_use]
    pub fn name(&self, name: &str) -> Option<&str> {
        self.named().find(|(known, _)| *known == name).map(|(_, value)| value)
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
        self.groups.iter().skip(1).map(|group| self.value(group))
    }

    /// The named groups that took part in the match, with their names.
    pub fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        let pair = |group: &Group| Some((self.text.get(group.name.clone())?, self.value(group)?));
        self.groups.iter().filter(|group| !group.name.is_empty()).filter_map(pair)
    }

    fn value(&self, group: &Group) -> Option<&str> {
        self.text.get(group.value.clone()?)
    }
}
