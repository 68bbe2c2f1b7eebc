//! The router itself.

use std::sync::Arc;

use crate::{
    error::RuleError,
    matched::Match,
    rank::Rank,
    request::Request,
    rule::Rule,
    set::{Places, Set},
};

/// Finds the rule for a request. Made once from all rules, never changed: [`Router::changed`] makes another one.
///
/// A router can be shared by threads. Rules with regexes borrow scratch memory from a pool while
/// they match; a thread that has its own clone never waits for another one there.
#[derive(Debug)]
pub struct Router {
    /// Most rules; shared with the routers that this one was made from by changing some.
    base: Arc<Set>,
    /// Those of them that have changed since or are gone.
    gone: Arc<Places>,
    /// Rules that are new or have changed since, if any have.
    later: Option<Later>,
}

/// Rules that are new or have changed since the base was made: few, so that making them ready takes next to no time.
#[derive(Debug)]
struct Later {
    rules: Vec<(usize, Arc<Rule>)>,
    set: Arc<Set>,
}

/// So many rules may change before all are read again: one of so many that there are, within these bounds.
const ONE_IN: usize = 16;
const AT_LEAST: usize = 4;
const AT_MOST: usize = 256;

impl Router {
    /// Reads all rules; a rule's place in the list is its number.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, at once.
    pub fn new(rules: Vec<Rule>) -> Result<Self, Vec<RuleError>> {
        Set::new(rules.iter().enumerate()).map(Self::of)
    }

    /// Reads all rules, whose numbers may have gaps. Of rules with the same number the last one counts.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, at once.
    pub fn numbered(rules: impl IntoIterator<Item = (usize, Rule)>) -> Result<Self, Vec<RuleError>> {
        let mut rules: Vec<_> = rules.into_iter().collect();
        // Stable, so that the last one of those with the same number comes first after the turn.
        rules.reverse();
        rules.sort_by_key(|(number, _)| *number);
        rules.dedup_by_key(|(number, _)| *number);
        Set::new(rules.iter().map(|(number, rule)| (*number, rule))).map(Self::of)
    }

    fn of(base: Set) -> Self {
        Self { base: Arc::new(base), gone: Arc::default(), later: None }
    }

    /// The router that finds what one made of all rules would, after some of them have changed: a rule takes the place of
    /// the one with its number, and `None` takes that one out. It takes time for those that changed alone, and shares the
    /// rest with this one. After very many changes there is none: it is time to read all rules again.
    ///
    /// # Errors
    /// Everything that is wrong with any of the changed rules.
    pub fn changed(
        &self,
        changes: impl IntoIterator<Item = (usize, Option<Rule>)>,
    ) -> Result<Option<Self>, Vec<RuleError>> {
        let mut gone = Places::clone(&self.gone);
        let mut rules = self.later.as_ref().map(|later| later.rules.clone()).unwrap_or_default();
        for (number, rule) in changes {
            rules.retain(|(known, _)| *known != number);
            rules.extend(rule.map(|rule| (number, Arc::new(rule))));
            if let Some(place) = self.base.place(number) {
                gone.insert(place);
            }
        }
        let bearable = (self.base.len() / ONE_IN).clamp(AT_LEAST, AT_MOST);
        if rules.len() > bearable || gone.count().saturating_mul(2) > self.base.len().saturating_add(AT_LEAST) {
            return Ok(None);
        }
        rules.sort_by_key(|(number, _)| *number);
        let later = match rules.is_empty() {
            true => None,
            false => {
                let set = Arc::new(Set::new(rules.iter().map(|(number, rule)| (*number, &**rule)))?);
                Some(Later { rules, set })
            }
        };
        Ok(Some(Self { base: self.base.clone(), gone: Arc::new(gone), later }))
    }

    /// A clone for the thread that has `own`, which is a clone of `before`: what this router has in common with `before`,
    /// the clone has in common with `own`.
    #[must_use]
    pub fn clone_after(&self, before: &Self, own: &Self) -> Self {
        let base = match Arc::ptr_eq(&self.base, &before.base) {
            true => own.base.clone(),
            false => Arc::new(Set::clone(&self.base)),
        };
        Self { base, gone: Arc::new(Places::clone(&self.gone)), later: self.later.as_ref().map(Later::copy) }
    }

    /// The best rule that matches, if one does.
    #[must_use]
    pub fn find(&self, request: &Request<'_>) -> Option<Match> {
        let best = self.base.find(request, &self.gone);
        let Some(later) = &self.later else { return best.map(|best| best.matched(request)) };
        let none = Places::default();
        let best = match (best, later.set.find(request, &none)) {
            (Some(best), Some(later)) if later.standing() < best.standing() => Some(later),
            (best, later) => best.or(later),
        };
        best.map(|best| best.matched(request))
    }

    /// Every rule with its number, the best first, and what keeps it from matching. Looks at all
    /// rules: for people who ask why, not for each request.
    ///
    /// A rule with paths of several lengths, or with prefixes and regexes, is listed once for each
    /// of them, as each has a number of its own.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>) -> Vec<Candidate> {
        let none = Places::default();
        let later = self.later.iter().flat_map(|later| later.set.explain(request, &none));
        let mut all: Vec<_> = self.base.explain(request, &self.gone).chain(later).collect();
        all.sort_by_key(|(standing, _)| *standing);
        all.into_iter().map(|(_, candidate)| candidate).collect()
    }
}

impl Clone for Router {
    /// A router of its own: it shares nothing with this one.
    fn clone(&self) -> Self {
        Self {
            base: Arc::new(Set::clone(&self.base)),
            gone: Arc::new(Places::clone(&self.gone)),
            later: self.later.as_ref().map(Later::copy),
        }
    }
}

impl Later {
    /// For another thread. The rules as written are read by none of them.
    fn copy(&self) -> Self {
        Self { rules: self.rules.clone(), set: Arc::new(Set::clone(&self.set)) }
    }
}

/// One rule, or one part of it, as [`Router::explain`] sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The rule's number: its place in the list given to [`Router::new`].
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
