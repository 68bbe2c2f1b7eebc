//! What is done with the requests of one route.

use std::{any::Any, collections::HashMap, fmt, sync::Arc};

use uuid::Uuid;

use crate::{
    band::Bands,
    directory::Consumer,
    guard::Guard,
    memos::Memos,
    observe::Observe,
    reply::Pages,
    route::{Route, Service},
    service_override::OtherWay,
};

/// The policy of a wrapping plugin, whatever its type.
pub type Policy = dyn Any + Send + Sync;

/// What is done with the requests of one route (or, without a route, with those that match none).
///
/// Fields stand in memory as they stand here: what every request looks at comes first, so that of one of many thousand
/// plans, which is in no cache, no more than that is read. What plans have in common they share.
#[derive(Debug, Clone, Default)]
#[repr(C)]
pub struct Plan {
    /// The plugins that apply. Plans on which the same do share them.
    pub plugins: Arc<Plugins>,
    /// The route's service; `None` for a route without.
    pub service: Option<Arc<Service>>,
    /// What the proxying service needs to reach the service, made by it.
    pub destination: Option<Arc<Policy>>,
    /// The route; `None` for requests that match none.
    pub route: Option<Route>,
    /// What the wrapping plugins have worked out for this plan, each at its slot.
    pub memos: Memos,
    /// What observers have worked out for this plan, for all of them: at slot 0 the logs' view of its entities.
    pub observed: Memos,
    /// How the gateway writes its own answers.
    pub pages: Arc<Pages>,
}

/// The plugins that apply to the requests of a plan: their policies, each with its consumers' own.
#[derive(Clone, Default)]
pub struct Plugins {
    /// Which bands of layers requests go through.
    pub bands: Bands,
    /// Whether one of them may want to know when the parts of a request's way ran.
    pub records_spans: bool,
    /// The guards in the order in which they check.
    pub guards: Vec<Choice<dyn Guard>>,
    /// The turns of the guards in the order in which they see the response, if it is another: a
    /// configuration may only change the order of checks.
    pub response_turns: Option<Box<[usize]>>,
    /// The policies of the wrapping plugins, each at its slot.
    pub wraps: Vec<Option<Choice<Policy>>>,
    /// Who is told when a request is over, in the order of PRIORITY.
    pub observers: Vec<Choice<dyn Observe>>,
    /// Where they may send requests instead of to the service.
    pub overrides: Vec<OtherWay>,
}

impl From<Plugins> for Plan {
    /// These plugins without a route, with room for what they work out.
    fn from(plugins: Plugins) -> Self {
        Arc::new(plugins).into()
    }
}

impl From<Arc<Plugins>> for Plan {
    /// These plugins without a route, with room for what they work out.
    fn from(plugins: Arc<Plugins>) -> Self {
        let memos = Memos::new(plugins.wraps.len());
        let observed = Memos::new(usize::from(!plugins.observers.is_empty()));
        Self { plugins, memos, observed, ..Self::default() }
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.guards.iter().map(|choice| choice.name).collect();
        f.debug_struct("Plugins").field("guards", &names).finish_non_exhaustive()
    }
}

/// The configurations of one plugin that may apply on one route, most specific first: exactly one
/// is chosen, at the plugin's turn, because the consumer is learnt midway.
pub struct Choice<P: ?Sized> {
    /// The plugin's name.
    pub name: &'static str,
    levels: Vec<Level<P>>,
}

/// One level of precedence.
pub enum Level<P: ?Sized> {
    /// For these consumers.
    Consumer(Arc<HashMap<Uuid, Arc<P>>>),
    /// For the members of these consumer groups.
    Group(Arc<HashMap<Uuid, Arc<P>>>),
    /// For everybody.
    Everybody(Arc<P>),
}

impl<P: ?Sized> Choice<P> {
    /// The configurations of a plugin, most specific level first.
    pub fn new(name: &'static str, levels: Vec<Level<P>>) -> Self {
        Self { name, levels }
    }

    /// The one that applies to requests of this consumer.
    pub fn pick(&self, consumer: Option<&Consumer>) -> Option<&P> {
        self.levels.iter().find_map(|level| match level {
            Level::Everybody(policy) => Some(&**policy),
            Level::Consumer(policies) => policies.get(&consumer?.id).map(|policy| &**policy),
            Level::Group(policies) => consumer?.groups.iter().find_map(|group| policies.get(group)).map(|p| &**p),
        })
    }

    /// The same where the consumer is only looked up if it matters.
    #[inline]
    pub(crate) fn pick_for<'a>(&self, consumer: impl FnOnce() -> Option<&'a Consumer>) -> Option<&P> {
        match self.levels.first() {
            Some(Level::Everybody(policy)) => Some(&**policy),
            _ => self.pick(consumer()),
        }
    }

    /// All levels, most specific first.
    pub fn levels(&self) -> &[Level<P>] {
        &self.levels
    }
}

// Written out because deriving would ask for `P: Clone`.
impl<P: ?Sized> Clone for Choice<P> {
    fn clone(&self) -> Self {
        Self { name: self.name, levels: self.levels.clone() }
    }
}

impl<P: ?Sized> Clone for Level<P> {
    fn clone(&self) -> Self {
        match self {
            Self::Consumer(policies) => Self::Consumer(policies.clone()),
            Self::Group(policies) => Self::Group(policies.clone()),
            Self::Everybody(policy) => Self::Everybody(policy.clone()),
        }
    }
}

impl<P: ?Sized> fmt::Debug for Choice<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choice").field("name", &self.name).field("levels", &self.levels.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_level_that_fits_is_chosen() {
        let (alice, mut bob) = (Consumer::named("alice"), Consumer::named("bob"));
        let gold = Uuid::new_v4();
        bob.groups = vec![Uuid::new_v4(), gold];
        let choice = Choice::new(
            "x",
            vec![
                Level::Consumer(Arc::new(HashMap::from([(alice.id, Arc::new("alice's"))]))),
                Level::Group(Arc::new(HashMap::from([(gold, Arc::new("gold"))]))),
                Level::Everybody(Arc::new("all")),
            ],
        );
        assert_eq!(choice.pick(Some(&alice)), Some(&"alice's"));
        assert_eq!(choice.pick(Some(&bob)), Some(&"gold"));
        assert_eq!(choice.pick(Some(&Consumer::named("eve"))), Some(&"all"));
        assert_eq!(choice.pick(None), Some(&"all"));
    }

    #[test]
    fn a_plan_stays_small() {
        // With the two counts of its `Arc` it begins with, what each request looks at fills one line of a cache.
        let counts = 2 * size_of::<usize>();
        let looked_at = std::mem::offset_of!(Plan, route) + std::mem::offset_of!(Route, id);
        assert!(counts + looked_at <= 64, "{looked_at}");
        assert!(counts + size_of::<Plan>() <= 160, "{}", size_of::<Plan>());
    }

    #[test]
    fn without_a_level_that_fits_there_is_no_policy() {
        let levels = vec![Level::Consumer(Arc::new(HashMap::from([(Uuid::nil(), Arc::new(1))])))];
        assert_eq!(Choice::new("x", levels).pick(None), None);
    }
}
