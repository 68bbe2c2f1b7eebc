//! Kong's 64-bit number, taken apart for people.

use std::fmt;

/// What the priority number of a rule for HTTP says, from what counts most to what counts least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    /// How many kinds of conditions there are (methods, hosts, headers, paths, server names, sources,
    /// destinations).
    pub conditions: u64,
    /// Whether there are hosts, and none has a wildcard.
    pub plain_hosts: bool,
    /// How many headers are asked for.
    pub headers: u64,
    /// Whether the path is a regular expression.
    pub regex: bool,
    /// `regex_priority`, where the path is a regular expression.
    pub regex_priority: u64,
    /// The bytes of a path that is a plain prefix.
    pub prefix_length: u64,
}

impl Rank {
    pub(crate) fn of(number: u64) -> Self {
        let bits = |from: u32, count: u32| number >> from & ((1 << count) - 1);
        Self {
            conditions: bits(61, 3),
            plain_hosts: bits(60, 1) == 1,
            headers: bits(52, 8),
            regex: bits(51, 1) == 1,
            regex_priority: bits(19, 32),
            prefix_length: bits(0, 19),
        }
    }

    /// The first in which this is ahead of another that is behind it; `None` if they are level, so that
    /// the greater id decides.
    #[must_use]
    pub fn ahead_by(&self, other: &Self) -> Option<Ahead> {
        let differs = |one: u64, two: u64, by: fn(u64, u64) -> Ahead| (one > two).then(|| by(one, two));
        differs(self.conditions, other.conditions, Ahead::Conditions)
            .or_else(|| (self.plain_hosts && !other.plain_hosts).then_some(Ahead::PlainHosts))
            .or_else(|| differs(self.headers, other.headers, Ahead::Headers))
            .or_else(|| (self.regex && !other.regex).then_some(Ahead::Regex))
            .or_else(|| differs(self.regex_priority, other.regex_priority, Ahead::RegexPriority))
            .or_else(|| differs(self.prefix_length, other.prefix_length, Ahead::PrefixLength))
    }
}

/// By what one rule is ahead of another; what is compared, for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// More kinds of conditions.
    Conditions(u64, u64),
    /// No wildcard in its hosts.
    PlainHosts,
    /// More headers.
    Headers(u64, u64),
    /// A regular expression comes before prefixes.
    Regex,
    /// A greater `regex_priority`.
    RegexPriority(u64, u64),
    /// A longer prefix.
    PrefixLength(u64, u64),
}

impl fmt::Display for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conditions(one, two) => write!(f, "it has conditions of {one} kinds, against {two}"),
            Self::PlainHosts => write!(f, "its hosts have no wildcard"),
            Self::Headers(one, two) => write!(f, "it asks for {one} headers, against {two}"),
            Self::Regex => write!(f, "a regular expression goes before a prefix"),
            Self::RegexPriority(one, two) => write!(f, "its regex_priority is {one}, against {two}"),
            Self::PrefixLength(one, two) => write!(f, "its path is longer: {one} bytes, against {two}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_decides() {
        let base = Rank::of(2 << 61);
        for (number, ahead) in [
            (3 << 61, Some(Ahead::Conditions(3, 2))),
            (2 << 61 | 1 << 60, Some(Ahead::PlainHosts)),
            (2 << 61 | 3 << 52, Some(Ahead::Headers(3, 0))),
            (2 << 61 | 1 << 51, Some(Ahead::Regex)),
            (2 << 61 | 7 << 19, Some(Ahead::RegexPriority(7, 0))),
            (2 << 61 | 9, Some(Ahead::PrefixLength(9, 0))),
            (2 << 61, None),
        ] {
            assert_eq!(Rank::of(number).ahead_by(&base), ahead);
        }
        let all = Rank::of(u64::MAX);
        assert_eq!(
            (all.conditions, all.headers, all.regex_priority, all.prefix_length),
            (7, 255, 0xFFFF_FFFF, 0x7_FFFF)
        );
    }
}
