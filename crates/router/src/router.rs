//! The router itself.

use crate::{
    branch::{self, Branch, PathMatch, Paths},
    conditions::Conditions,
    error::{Problems, RuleError},
    index::{Index, Search},
    matched::Match,
    rank::Rank,
    request::Request,
    rule::Rule,
};

/// Finds the rule for a request. Made once from all rules, never changed.
///
/// A router can be shared by threads. Rules with regexes borrow scratch memory from a pool while
/// they match; a thread that has its own clone never waits for another one there.
#[derive(Debug, Clone)]
pub struct Router {
    /// One for each rule, in the caller's order.
    conditions: Vec<Conditions>,
    /// The best first.
    branches: Vec<Branch>,
    index: Index,
}

impl Router {
    /// Reads all rules.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, at once.
    pub fn new(rules: Vec<Rule>) -> Result<Self, Vec<RuleError>> {
        let (mut conditions, mut branches, mut errors) =
            (Vec::with_capacity(rules.len()), Vec::with_capacity(rules.len()), Vec::new());
        for (index, rule) in rules.iter().enumerate() {
            let mut problems = Problems::of(index);
            conditions.push(Conditions::read(rule, &mut problems));
            branches.append(&mut branch::read(index, rule, &mut problems));
            errors.append(&mut problems.into_found());
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        // Stable: of rules that are level even in their ids the first one listed wins.
        branches.sort_by_key(|branch| branch.standing);
        let index = Index::new(&conditions, &branches);
        Ok(Self { conditions, branches, index })
    }

    /// The best rule that matches, if one does.
    #[must_use]
    pub fn find(&self, request: &Request<'_>) -> Option<Match> {
        let mut search = Search::new(request, &self.conditions, &self.branches);
        self.index.find(&mut search);
        let (branch, path) = search.found()?;
        let prefix = match path {
            PathMatch::Bytes(bytes) => Some(bytes),
            PathMatch::Any | PathMatch::No => None,
        };
        let captures = match &branch.paths {
            Paths::Regex(regex) => regex.captures(request.path),
            Paths::Any | Paths::Prefix(_) | Paths::Prefixes(_) => None,
        };
        Some(Match { rule: branch.rule, prefix, captures })
    }

    /// Every rule with its number, the best first, and what keeps it from matching. Looks at all
    /// rules: for people who ask why, not for each request.
    ///
    /// A rule with paths of several lengths, or with prefixes and regexes, is listed once for each
    /// of them, as each has a number of its own.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>) -> Vec<Candidate> {
        let candidate = |branch: &Branch| {
            let mut obstacles = self.conditions.get(branch.rule)?.obstacles(request);
            if branch.paths.find(request.path) == PathMatch::No {
                obstacles.push("paths");
            }
            Some(Candidate { rule: branch.rule, number: branch.standing.number, obstacles })
        };
        self.branches.iter().filter_map(candidate).collect()
    }
}

/// One rule, or one part of it, as [`Router::explain`] sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The rule's place in the list given to [`Router::new`].
    pub rule: usize,
    /// Kong's 64-bit priority number.
    pub number: u64,
    /// The attributes that keep it from matching; empty if it matches.
    pub obstacles: Vec<&'static str>,
}

impl Candidate {
    /// Whether the request matches.
    #[must_use]
    pub fn matches(&self) -> bool {
        self.obstacles.is_empty()
    }

    /// What its number says, for rules that take HTTP.
    #[must_use]
    pub fn rank(&self) -> Rank {
        Rank::of(self.number)
    }
}
