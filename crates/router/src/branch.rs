//! A rule's paths, taken apart as Kong does.
//!
//! The length of a prefix is part of a rule's standing. So a rule with paths of several lengths is
//! several rules in truth: one for each length, and one for all regexes. Each of them is a branch.

use regex_automata::util::syntax;
use uuid::Uuid;

use crate::{
    error::Problems,
    path,
    priority::{PathKind, Standing},
    regex::{self, PathRegex},
    rule::Rule,
};

/// Kong makes the ids of a rule's branches in this namespace.
const BRANCH_IDS: Uuid = Uuid::from_u128(0x7f14_5bf9_0dce_4f91_98eb_debb_ce4b_9f6b);

/// A rule with paths of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    /// The rule's place in the caller's list.
    pub(crate) rule: usize,
    pub(crate) standing: Standing,
    pub(crate) paths: Paths,
}

/// What a branch asks of the path.
#[derive(Debug, Clone)]
pub(crate) enum Paths {
    Any,
    Prefix(Box<str>),
    /// Several of one length, in order.
    Prefixes(Box<[Box<str>]>),
    Regex(Box<PathRegex>),
}

/// Whether a path condition is met, and by how many bytes if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathMatch {
    No,
    Any,
    Prefix(usize),
    Regex(usize),
}

impl Paths {
    pub(crate) fn find(&self, path: &str) -> PathMatch {
        let found = match self {
            Self::Any => Some(PathMatch::Any),
            Self::Prefix(prefix) => path.starts_with(&**prefix).then_some(PathMatch::Prefix(prefix.len())),
            Self::Prefixes(prefixes) => has_prefix(prefixes, path).map(PathMatch::Prefix),
            Self::Regex(regex) => regex.end(path).map(PathMatch::Regex),
        };
        found.unwrap_or(PathMatch::No)
    }
}

fn has_prefix(prefixes: &[Box<str>], path: &str) -> Option<usize> {
    let length = prefixes.first()?.len();
    let start = path.as_bytes().get(..length)?;
    prefixes.binary_search_by(|prefix| prefix.as_bytes().cmp(start)).ok().map(|_| length)
}

/// Takes a rule apart; what cannot be used is left out and told.
pub(crate) fn read(index: usize, rule: &Rule, problems: &mut Problems) -> Vec<Branch> {
    let groups = group(rule, problems);
    let alone = groups.len() == 1;
    let branch = |(n, (kind, paths)): (usize, (PathKind, Paths))| {
        let id = if alone { rule.id } else { branch_id(rule.id, n.saturating_add(1)) };
        Branch { rule: index, standing: Standing::new(rule, kind, id), paths }
    };
    groups.into_iter().enumerate().map(branch).collect()
}

fn branch_id(rule: Uuid, n: usize) -> Uuid {
    Uuid::new_v5(&BRANCH_IDS, format!("{rule}#{n}").as_bytes())
}

/// The paths by kind, in the order in which the kinds first occur.
fn group(rule: &Rule, problems: &mut Problems) -> Vec<(PathKind, Paths)> {
    if rule.paths.is_empty() {
        return vec![(PathKind::Any, Paths::Any)];
    }
    let mut kinds: Vec<(PathKind, Vec<Box<str>>)> = Vec::new();
    let mut patterns = Vec::new();
    for (i, written) in rule.paths.iter().enumerate() {
        let read = match written.strip_prefix('~') {
            Some(pattern) => regex::parse(pattern, syntax::Config::new()).map(|parsed| {
                patterns.push(parsed);
                (PathKind::Regex, None)
            }),
            None => read_prefix(written).map(|prefix| (PathKind::Prefix(prefix.len()), Some(prefix))),
        };
        let Some((kind, prefix)) = problems.keep(|| format!("paths[{i}]"), read) else { continue };
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, prefixes)) => prefixes.extend(prefix),
            None => kinds.push((kind, prefix.into_iter().collect())),
        }
    }
    let ready = |(kind, prefixes)| Some((kind, ready(kind, prefixes, &patterns, problems)?));
    kinds.into_iter().filter_map(ready).collect()
}

fn ready(
    kind: PathKind,
    mut prefixes: Vec<Box<str>>,
    patterns: &[regex_syntax::hir::Hir],
    problems: &mut Problems,
) -> Option<Paths> {
    if kind == PathKind::Regex {
        let regex = problems.keep(|| "paths".to_owned(), PathRegex::new(patterns))?;
        return Some(Paths::Regex(Box::new(regex)));
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    match <[_; 1]>::try_from(prefixes) {
        Ok([prefix]) => Some(Paths::Prefix(prefix)),
        Err(prefixes) => Some(Paths::Prefixes(prefixes.into())),
    }
}

/// A prefix as it is compared: with the escapes decoded that are decoded in requests too.
fn read_prefix(written: &str) -> Result<Box<str>, String> {
    if !written.starts_with('/') {
        return Err(format!("'{written}' should start with: / (fixed path) or ~/ (regex path)"));
    }
    let unusable = |error| format!("'{written}' can never match: {error}");
    let normal = path::normalize(written).map_err(unusable)?;
    let decoded = path::decode(written).map_err(unusable)?;
    if normal != decoded {
        return Err(format!("non-normalized path, consider use '{normal}' instead"));
    }
    Ok(decoded.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branches(paths: &[&str]) -> Result<Vec<Branch>, Vec<String>> {
        let rule = Rule { paths: paths.iter().map(|path| (*path).to_owned()).collect(), ..Rule::default() };
        let mut problems = Problems::of(0);
        let branches = read(0, &rule, &mut problems);
        let found = problems.into_found();
        if found.is_empty() { Ok(branches) } else { Err(found.iter().map(ToString::to_string).collect()) }
    }

    #[test]
    fn one_branch_for_each_length_and_one_for_all_regexes() {
        let parts = branches(&["/ab", "~/x", "/cd", "/efg", "~/y"]).unwrap();
        let numbers: Vec<_> = parts.iter().map(|part| part.standing.number).collect();
        assert_eq!(numbers, [1 << 61 | 3, 1 << 61 | 1 << 51, 1 << 61 | 4]);
        assert_eq!(parts[0].paths.find("/cde"), PathMatch::Prefix(3));
        assert_eq!(parts[1].paths.find("/yy"), PathMatch::Regex(2));
        assert_eq!(parts[2].paths.find("/ef"), PathMatch::No);
        assert_eq!(branches(&["/ab", "/cd"]).unwrap().len(), 1);
        assert_eq!(branches(&[]).unwrap()[0].paths.find("/"), PathMatch::Any);
    }

    #[test]
    fn ids_of_branches_come_from_the_rule() {
        // As computed by Python: uuid5(UUID("7f145bf9-0dce-4f91-98eb-debbce4b9f6b"), "<nil>#1").
        assert_eq!(branch_id(Uuid::nil(), 1).to_string(), "5598fb02-7dd9-5fcb-8939-e97dbe249ebc");
        let parts = branches(&["/a", "/bc"]).unwrap();
        let expected = |length, n| Standing::new(&Rule::default(), PathKind::Prefix(length), branch_id(Uuid::nil(), n));
        assert_eq!([parts[0].standing, parts[1].standing], [expected(2, 1), expected(3, 2)]);
        assert_eq!(
            branches(&["/a", "/b"]).unwrap()[0].standing,
            Standing::new(&Rule::default(), PathKind::Prefix(2), Uuid::nil())
        );
    }

    #[test]
    fn escapes_in_a_prefix_are_decoded_and_odd_ones_refused() {
        assert_eq!(branches(&["/caf%c3%a9"]).unwrap()[0].paths.find("/café/x"), PathMatch::Prefix(6));
        assert_eq!(branches(&["/a%2fb"]).unwrap()[0].paths.find("/a%2Fb"), PathMatch::Prefix(6));
        let errors = branches(&["/a//b", "/../x", "/%zz", "x", "/.", "~(", "/good"]).unwrap_err();
        let starts = [
            "rule 0: paths[0]: non-normalized path, consider use '/a/b' instead",
            "rule 0: paths[1]: '/../x' can never match: a '..' segment of the path leads above the root",
            "rule 0: paths[2]: '/%zz' can never match: the path has a '%' that",
            "rule 0: paths[3]: 'x' should start with: / (fixed path) or ~/ (regex path)",
            "rule 0: paths[4]: non-normalized path, consider use '/' instead",
            "rule 0: paths[5]: '(' is not a valid regular expression",
        ];
        assert_eq!(errors.len(), starts.len());
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.starts_with(start), "{error}");
        }
    }
}
