//! Regular expressions: how they are read, how large they may be, and what can be known of a match
//! without running one.

use regex_automata::{Anchored, Input, meta, util::syntax};
use regex_syntax::hir::{Hir, HirKind, Look};

use crate::matched::Captures;

/// A rule's regexes may take this much memory when compiled; Kong's engine has the same limit.
const SIZE_LIMIT: usize = 10 * 1024 * 1024;

/// Reads one pattern; the message says what is wrong with it.
pub(crate) fn parse(pattern: &str, config: syntax::Config) -> Result<Hir, String> {
    syntax::parse_with(pattern, &config)
        .map_err(|error| format!("'{pattern}' is not a valid regular expression: {error}"))
}

/// Compiles patterns into one regex that prefers the first of them.
pub(crate) fn compile(patterns: &[Hir], utf8: bool) -> Result<meta::Regex, String> {
    // The one-pass engine would double the speed of captures for four times the memory and twice
    // the time to compile: 46 KiB for each regex with a \d in it.
    let config = meta::Config::new().utf8_empty(utf8).nfa_size_limit(Some(SIZE_LIMIT)).onepass(false);
    meta::Builder::new().configure(config).build_many_from_hir(patterns).map_err(|error| match error.size_limit() {
        Some(limit) => format!("the regular expression is larger than {limit} bytes when compiled; lower its repetition counts, or write [0-9] for \\d and [0-9A-Za-z_] for \\w"),
        None => format!("the regular expression cannot be compiled: {error}"),
    })
}

/// All regex paths of one rule. Anchored at the start of the path.
#[derive(Debug, Clone)]
pub(crate) struct PathRegex {
    regex: meta::Regex,
    has_groups: bool,
    hints: Box<[Hint]>,
}

/// What every path that one pattern matches has, so that others need not be tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hint {
    /// It begins with this.
    pub(crate) prefix: Vec<u8>,
    /// Each of these is somewhere between two slashes.
    pub(crate) segments: Vec<Vec<u8>>,
}

impl PathRegex {
    /// Compiles patterns in the order of the rule.
    pub(crate) fn new(patterns: &[Hir]) -> Result<Self, String> {
        let regex = compile(patterns, true)?;
        let has_groups = regex.captures_len() > patterns.len();
        Ok(Self { regex, has_groups, hints: patterns.iter().map(Hint::of).collect() })
    }

    /// One hint for each pattern.
    pub(crate) fn hints(&self) -> &[Hint] {
        &self.hints
    }

    /// How many bytes of the path the first pattern that matches takes.
    pub(crate) fn end(&self, path: &str) -> Option<usize> {
        self.regex.search_half(&anchored(path)).map(|half| half.offset())
    }

    /// What the groups caught; nothing if there are no groups.
    pub(crate) fn captures(&self, path: &str) -> Option<Box<Captures>> {
        if !self.has_groups {
            return None;
        }
        let info = self.regex.group_info();
        let mut few = [None; FEW_SLOTS];
        let mut many = Vec::new();
        let slots = few.get_mut(..info.slot_len()).unwrap_or_else(|| {
            many.resize(info.slot_len(), None);
            &mut many
        });
        let pattern = self.regex.search_slots(&anchored(path), slots)?;
        let place = |n| {
            let at = |slot: Option<usize>| Some((*slots.get(slot?)?)?.get());
            Some(at(info.slot(pattern, n))?..at(info.slot(pattern, n).map(|slot| slot.saturating_add(1)))?)
        };
        let matched = path.get(..place(0)?.end)?;
        let groups = info.pattern_names(pattern).enumerate().map(|(n, name)| (name, place(n)));
        (info.group_len(pattern) > 1).then(|| Box::new(Captures::new(matched, groups)))
    }
}

/// Two for each group: so many need no allocation.
const FEW_SLOTS: usize = 24;

fn anchored(path: &str) -> Input<'_> {
    Input::new(path).anchored(Anchored::Yes)
}

impl Hint {
    /// Reads the literal runs of a pattern: fixed text, gaps between.
    fn of(pattern: &Hir) -> Self {
        let mut runs = Runs { all: vec![Vec::new()] };
        runs.read(pattern);
        let segments = runs.all.iter().flat_map(|run| inner_segments(run)).collect();
        Self { prefix: runs.all.into_iter().next().unwrap_or_default(), segments }
    }
}

/// The parts of a run that have a slash on both sides.
fn inner_segments(run: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let parts: Vec<_> = run.split(|byte| *byte == b'/').collect();
    let inner = parts.len().saturating_sub(1);
    parts
        .into_iter()
        .take(inner)
        .skip(1)
        .filter(|part| !part.is_empty())
        .map(<[u8]>::to_vec)
        .collect::<Vec<_>>()
        .into_iter()
}

/// Literal texts that follow each other with something unknown between them.
struct Runs {
    all: Vec<Vec<u8>>,
}

impl Runs {
    fn read(&mut self, part: &Hir) {
        match part.kind() {
            HirKind::Empty => {}
            HirKind::Literal(text) => match self.all.last_mut() {
                Some(run) => run.extend_from_slice(&text.0),
                None => self.all.push(text.0.to_vec()),
            },
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.read(part)),
            HirKind::Capture(capture) => self.read(&capture.sub),
            // Takes no text itself. A line start can be after any line break, but still takes none.
            HirKind::Look(Look::Start | Look::End) => {}
            HirKind::Look(_) | HirKind::Class(_) | HirKind::Repetition(_) | HirKind::Alternation(_) => {
                self.all.push(Vec::new())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(patterns: &[&str]) -> Result<PathRegex, String> {
        let parsed: Result<Vec<_>, _> = patterns.iter().map(|pattern| parse(pattern, syntax::Config::new())).collect();
        PathRegex::new(&parsed?)
    }

    #[test]
    fn anchored_at_the_start_only() {
        let cases = [
            (&["/a"][..], "/ab", Some(2)),
            (&["/a$"], "/ab", None),
            (&["/b"], "/a/b", None),
            (&["/x|/b"], "/a/b", None),
            (&["^/a"], "/ab", Some(2)),
            (&["/a", "/ab"], "/ab", Some(2)),
            (&["/ab", "/a"], "/ab", Some(3)),
            (&["/x", r"/\d+"], "/77x", Some(3)),
            (&["(?i)/A"], "/ab", Some(2)),
            (&["/[a-z]+(?-i)"], "/ab1", Some(3)),
        ];
        for (patterns, path, expected) in cases {
            assert_eq!(regex(patterns).unwrap().end(path), expected, "{patterns:?} {path}");
        }
    }

    #[test]
    fn captures_of_the_first_that_matches() {
        let both = regex(&[r"/(?<word>[a-z]+)/(\d+)?", r"/(?<any>.*)"]).unwrap();
        let first = both.captures("/abc/7/x").unwrap();
        assert_eq!((first.at(0), first.at(1), first.at(2), first.len()), (Some("/abc/7"), Some("abc"), Some("7"), 2));
        assert_eq!(first.named().collect::<Vec<_>>(), [("word", "abc")]);
        let without = both.captures("/abc/x").unwrap();
        assert_eq!(without.positional().collect::<Vec<_>>(), [Some("abc"), None]);
        let second = both.captures("/ABC").unwrap();
        assert_eq!((second.name("any"), second.name("word"), second.len()), (Some("ABC"), None, 1));
        assert_eq!(regex(&["/a"]).unwrap().captures("/a"), None);
        assert_eq!(regex(&["/a", "/(b)"]).unwrap().captures("/a"), None);
    }

    #[test]
    fn hints_are_what_every_match_has() {
        let cases: [(&str, &str, &[&str]); 9] = [
            ("/api/v1", "/api/v1", &["api"]),
            (r"/api/(?<id>\d+)/r123/x", "/api/", &["api", "r123"]),
            (r"^/(api)/v1/", "/api/v1/", &["api", "v1"]),
            (r"/(a|b)/c/d$", "/", &["c"]),
            (r"(/x)?/c/", "", &["c"]),
            (r"(?i)/c/", "/", &[]),
            (r".*/c/d/", "", &["c", "d"]),
            (r"/a/+b/c/", "/a", &["c"]),
            (r"/a\b/c/", "/a", &["c"]),
        ];
        for (pattern, prefix, segments) in cases {
            let hint = Hint::of(&parse(pattern, syntax::Config::new()).unwrap());
            assert_eq!(hint.prefix, prefix.as_bytes(), "{pattern}");
            assert_eq!(
                hint.segments,
                segments.iter().map(|one| one.as_bytes().to_vec()).collect::<Vec<_>>(),
                "{pattern}"
            );
        }
    }

    #[test]
    fn refused_patterns() {
        for (pattern, hint) in [
            ("/(", "not a valid regular expression"),
            ("/(?=a)", "look-around"),
            (r"/(a)\1", "backreferences"),
            (r"/\w{1000}\w{1000}", "larger than 10485760 bytes"),
        ] {
            let error = regex(&[pattern]).unwrap_err();
            assert!(error.contains(hint), "{pattern}: {error}");
        }
    }
}
