//! Rules made ready for matching, and the index over them.

use crate::{
    branch::{self, Branch, PathMatch, Paths},
    conditions::Conditions,
    error::{Problems, RuleError},
    index::{Found, Index, Search},
    matched::{Captures, Match},
    priority::Standing,
    request::Request,
    router::Candidate,
    rule::Rule,
};

/// Rules made ready for matching. Made once, never changed.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    /// The number of each rule, ascending; none if they are numbered from 0 without a gap.
    numbers: Option<Box<[usize]>>,
    /// One for each rule.
    conditions: Vec<Conditions>,
    /// The best first.
    branches: Vec<Branch>,
    index: Index,
}

/// Places of rules in a [`Set`]: one bit each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Vec<u64>);

/// The best of a set's rules that match: what it is compared by with those of another set.
pub(crate) struct Best<'a> {
    set: &'a Set,
    found: Found,
}

impl Set {
    /// Reads rules with ascending numbers.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, at once.
    pub(crate) fn new<'a>(rules: impl ExactSizeIterator<Item = (usize, &'a Rule)>) -> Result<Self, Vec<RuleError>> {
        let (mut numbers, mut errors) = (Vec::with_capacity(rules.len()), Vec::new());
        let (mut conditions, mut branches) = (Vec::with_capacity(rules.len()), Vec::with_capacity(rules.len()));
        for (place, (number, rule)) in rules.enumerate() {
            let mut problems = Problems::of(number);
            numbers.push(number);
            conditions.push(Conditions::read(rule, &mut problems));
            branches.append(&mut branch::read(place, rule, &mut problems));
            errors.append(&mut problems.into_found());
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        // Stable: of rules that are level even in their ids the first one listed wins.
        branches.sort_by_key(|branch| branch.standing);
        let index = Index::new(&conditions, &branches);
        let has_gaps = numbers.iter().enumerate().any(|(place, number)| place != *number);
        Ok(Self { numbers: has_gaps.then(|| numbers.into()), conditions, branches, index })
    }

    /// How many rules there are.
    pub(crate) fn len(&self) -> usize {
        self.conditions.len()
    }

    /// Where the rule of this number is.
    pub(crate) fn place(&self, number: usize) -> Option<usize> {
        match &self.numbers {
            Some(numbers) => numbers.binary_search(&number).ok(),
            None => Some(number).filter(|number| *number < self.conditions.len()),
        }
    }

    fn number(&self, place: usize) -> usize {
        self.numbers.as_ref().and_then(|numbers| numbers.get(place)).copied().unwrap_or(place)
    }

    /// The best rule that matches and is not at one of these places, if one does.
    pub(crate) fn find<'a>(&'a self, request: &'a Request<'_>, gone: &'a Places) -> Option<Best<'a>> {
        let mut search = Search::new(request, &self.conditions, &self.branches, gone);
        self.index.find(&mut search);
        search.found().map(|found| Best { set: self, found })
    }

    /// Every rule that is not at one of these places, the best first, each with its standing.
    pub(crate) fn explain<'a>(
        &'a self,
        request: &'a Request<'_>,
        gone: &'a Places,
    ) -> impl Iterator<Item = (Standing, Candidate)> + 'a {
        let candidate = |branch: &Branch| {
            let mut obstacles = self.conditions.get(branch.rule)?.obstacles(request);
            if branch.paths.find(request.path) == PathMatch::No {
                obstacles.push("paths");
            }
            let rule = self.number(branch.rule);
            Some((branch.standing, Candidate { rule, number: branch.standing.number, obstacles }))
        };
        self.branches.iter().filter(|branch| !gone.contains(branch.rule)).filter_map(candidate)
    }
}

impl Best<'_> {
    /// Its place among the rules of all sets, to be compared with another's.
    pub(crate) fn standing(&self) -> Option<Standing> {
        self.set.branches.get(self.found.rank).map(|branch| branch.standing)
    }

    /// The rule, and what of the request it matched.
    pub(crate) fn matched(self, request: &Request<'_>) -> Match {
        let rule = self.set.number(self.found.rule);
        let (prefix, captures) = match self.found.path {
            PathMatch::Any | PathMatch::No => (None, None),
            PathMatch::Prefix(bytes) => (Some(bytes), None),
            PathMatch::Regex(bytes) => (Some(bytes), self.captures(request)),
        };
        Match { rule, prefix, captures }
    }

    fn captures(&self, request: &Request<'_>) -> Option<Box<Captures>> {
        match &self.set.branches.get(self.found.rank)?.paths {
            Paths::Regex(regex) => regex.captures(request.path),
            Paths::Any | Paths::Prefix(_) | Paths::Prefixes(_) => None,
        }
    }
}

impl Places {
    pub(crate) fn contains(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|bits| bits & (1 << (place % 64)) != 0)
    }

    pub(crate) fn insert(&mut self, place: usize) {
        let word = place / 64;
        if self.0.len() <= word {
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= 1 << (place % 64);
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }
}
