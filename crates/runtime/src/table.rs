//! What a worker looks a request up in.

use std::sync::Arc;

use towergate_core::Plan;
use towergate_router::Router;
use towergate_tls::{Asked, Certificates};

/// What a worker looks a request up in: the router, and a plan for each of its rules.
///
/// Each worker has its own, so that no reference count and no scratch memory is shared
/// between workers on a request's way.
#[derive(Debug)]
pub struct Table {
    /// Which rule a request matches.
    pub router: Arc<Router>,
    /// What to do with a request of each rule, in the order of the router's rules.
    pub plans: Vec<Arc<Plan>>,
    /// What to do with a request that matches no rule: only plugins for everything apply.
    pub unrouted: Arc<Plan>,
    /// Which certificate is shown for which server name. Looked at in handshakes only, so that all
    /// workers may share it.
    pub certificates: Arc<Certificates>,
    /// Which clients are asked for a certificate. Looked at in handshakes only, too.
    pub asked: Asked,
}

impl Table {
    /// The tables for so many workers. The first is this one, which is on no request's way itself: with one worker
    /// there are no plans but those that it uses.
    pub fn for_workers(&self, count: usize) -> impl Iterator<Item = Self> {
        (0..count).map(|worker| if worker == 0 { self.share() } else { self.copy() })
    }

    fn share(&self) -> Self {
        Self {
            router: self.router.clone(),
            plans: self.plans.clone(),
            unrouted: self.unrouted.clone(),
            certificates: self.certificates.clone(),
            asked: self.asked.clone(),
        }
    }

    /// A copy for another worker: the same policies, but reference counts and a router of its own.
    fn copy(&self) -> Self {
        let copy = |plan: &Arc<Plan>| Arc::new(Plan::clone(plan));
        Self {
            // Not the same `Arc`: a router's regexes take their scratch memory from a pool behind a lock.
            router: Arc::new(Router::clone(&self.router)),
            plans: self.plans.iter().map(copy).collect(),
            unrouted: copy(&self.unrouted),
            certificates: self.certificates.clone(),
            asked: self.asked.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use towergate_router::Rule;

    use super::*;

    #[test]
    fn workers_share_neither_router_nor_plans() {
        let router = Router::new(vec![Rule { paths: vec![r"~/\d+".into()], ..Rule::default() }]).unwrap();
        let plan = Arc::new(Plan::default());
        let certificates = Arc::default();
        let table = Table {
            router: Arc::new(router),
            plans: vec![plan.clone()],
            unrouted: plan,
            certificates,
            asked: Asked::Nobody,
        };
        let workers: Vec<_> = table.for_workers(3).collect();
        let [one, two, three] = workers.as_slice() else { panic!("three workers") };
        for (table, other) in [(one, two), (one, three), (two, three)] {
            assert!(!Arc::ptr_eq(&table.router, &other.router));
            assert!(!Arc::ptr_eq(&table.plans[0], &other.plans[0]));
            assert!(!Arc::ptr_eq(&table.unrouted, &other.unrouted));
        }
        assert!(Arc::ptr_eq(&table.plans[0], &one.plans[0]), "one worker's plans are not there twice");
    }
}
