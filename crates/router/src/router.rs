//! The router itself.

use crate::{
    branch::{self, Branch, PathMatch, Paths},
    conditions::Conditions,
    error::{Problems, RuleError},
    matched::Match,
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
        Ok(Self { conditions, branches })
    }

    /// The best rule that matches, if one does.
    #[must_use]
    pub fn find(&self, request: &Request<'_>) -> Option<Match> {
        self.branches.iter().find_map(|branch| self.try_branch(branch, request))
    }

    fn try_branch(&self, branch: &Branch, request: &Request<'_>) -> Option<Match> {
        let prefix = match branch.paths.find(request.path) {
            PathMatch::No => return None,
            PathMatch::Any => None,
            PathMatch::Bytes(bytes) => Some(bytes),
        };
        if self.conditions.get(branch.rule)?.obstacle(request).is_some() {
            return None;
        }
        let captures = match &branch.paths {
            Paths::Regex(regex) => regex.captures(request.path),
            Paths::Any | Paths::Prefixes(_) => None,
        };
        Some(Match { rule: branch.rule, prefix, captures })
    }
}
