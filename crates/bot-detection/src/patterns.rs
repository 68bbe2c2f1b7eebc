//! Many patterns as one automaton.

use std::sync::LazyLock;

use regex::bytes::{RegexBuilder, RegexSet, RegexSetBuilder};
use towergate_core::PluginError;

/// Kong's list of bots: the same for everybody, so it is compiled once.
#[expect(clippy::expect_used, reason = "the list is part of this crate, and its tests use it")]
static BOTS: LazyLock<RegexSet> = LazyLock::new(|| {
    let lines = include_str!("rules.txt").lines();
    compile(lines.filter(|line| !line.is_empty() && !line.starts_with('#'))).expect("Kong's list compiles")
});

thread_local! {
    // A copy takes its scratch memory from a place of its own, which is behind a lock otherwise.
    static BOTS_HERE: RegexSet = BOTS.clone();
}

/// Whether Kong's list of bots has this `User-Agent`.
pub(crate) fn is_listed(user_agent: &[u8]) -> bool {
    BOTS_HERE.with(|bots| bots.is_match(user_agent))
}

/// The automaton of an operator's list.
///
/// # Errors
/// The place of a pattern that is none (`deny[1]`), or that together they are too large.
pub(crate) fn automaton<T: AsRef<str>>(list: &str, patterns: &[T]) -> Result<RegexSet, PluginError> {
    compile(patterns).map_err(|error| {
        let alone = |pattern: &T| RegexBuilder::new(pattern.as_ref()).unicode(false).build().err();
        let first = patterns.iter().enumerate().find_map(|(index, pattern)| Some((index, alone(pattern)?)));
        match first {
            Some((index, error)) => PluginError::new(format!("{list}[{index}]"), error.to_string()),
            None => PluginError::new(list, error.to_string()),
        }
    })
}

/// Classes are ASCII, as in Kong; what is sent need not be text.
fn compile<T: AsRef<str>>(patterns: impl IntoIterator<Item = T>) -> Result<RegexSet, regex::Error> {
    RegexSetBuilder::new(patterns).unicode(false).build()
}
