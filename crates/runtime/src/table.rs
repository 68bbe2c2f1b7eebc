//! What a worker looks a request up in.

use std::sync::Arc;

use towergate_core::Plan;
use towergate_router::Router;

/// What a worker looks a request up in: the router, and a plan for each of its rules.
///
/// Each worker has a copy of its own, so that no reference count and no scratch memory is shared
/// between workers on a request's way.
#[derive(Debug)]
pub struct Table {
    /// Which rule a request matches.
    pub router: Arc<Router>,
    /// What to do with a request of each rule, in the order of the router's rules.
    pub plans: Vec<Arc<Plan>>,
    /// What to do with a request that matches no rule: only plugins for everything apply.
    pub unrouted: Arc<Plan>,
}

impl Table {
    /// A copy for another worker: the same policies, reference counts of its own.
    pub fn copy(&self) -> Self {
        let copy = |plan: &Arc<Plan>| Arc::new(Plan::clone(plan));
        Self {
            router: self.router.clone(),
            plans: self.plans.iter().map(copy).collect(),
            unrouted: copy(&self.unrouted),
        }
    }
}
