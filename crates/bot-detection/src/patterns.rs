//! Many patterns as one automaton.

use std::sync::LazyLock;

use regex::bytes::{RegexBuilder, RegexSet, RegexSetBuilder};
use towergate_core::PluginError;

/// Kong's list of bots: the same for everybody, so it is compiled once.
#[expect(clippy::expect_used, reason = "the list is part of this crate, and its tests use it")]
pub(crate) static BOTS: LazyLock<RegexSet> = LazyLock::new(|| {
    let lines = include_str!("rules.txt").lines();
    compile(lines.filter(|line| !line.is_empty() && !line.starts_with('#'))).expect("Kong's list compiles")
});

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
