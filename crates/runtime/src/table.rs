//! What a worker looks a request up in.

use std::sync::Arc;

use towergate_core::{Generation, Plan};
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
    /// What to do with a request of each rule, by the rule's number.
    pub plans: Vec<Arc<Plan>>,
    /// What to do with a request that matches no rule: only plugins for everything apply.
    pub unrouted: Arc<Plan>,
    /// What holds for all requests.
    pub generation: Arc<Generation>,
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

    /// The table for a worker that has `own`, which was made for it of `before`: what this one has in common with `before`,
    /// the worker's has in common with `own`. So it costs the more the more has changed, and what was worked out for
    /// a plan that has not is not worked out again.
    pub fn for_worker_after(&self, worker: usize, before: &Self, own: &Self) -> Self {
        if worker == 0 { self.share() } else { self.copy_after(before, own) }
    }

    fn share(&self) -> Self {
        Self { plans: self.plans.clone(), generation: self.generation.clone(), ..self.shared() }
    }

    /// A copy for another worker: the same policies, but reference counts and a router of its own.
    fn copy(&self) -> Self {
        Self {
            // Not the same `Arc`: a router's regexes take their scratch memory from a pool behind a lock.
            router: Arc::new(Router::clone(&self.router)),
            plans: self.plans.iter().map(copy).collect(),
            unrouted: copy(&self.unrouted),
            ..self.shared()
        }
    }

    fn copy_after(&self, before: &Self, own: &Self) -> Self {
        let router = match Arc::ptr_eq(&self.router, &before.router) {
            true => own.router.clone(),
            false => Arc::new(self.router.clone_after(&before.router, &own.router)),
        };
        let same = |plan: &Arc<Plan>, before: Option<&Arc<Plan>>, own: Option<&Arc<Plan>>| {
            own.filter(|_| before.is_some_and(|before| Arc::ptr_eq(plan, before))).cloned()
        };
        let plan = |(number, plan): (usize, &Arc<Plan>)| {
            same(plan, before.plans.get(number), own.plans.get(number)).unwrap_or_else(|| copy(plan))
        };
        let unrouted = same(&self.unrouted, Some(&before.unrouted), Some(&own.unrouted));
        Self {
            router,
            plans: self.plans.iter().enumerate().map(plan).collect(),
            unrouted: unrouted.unwrap_or_else(|| copy(&self.unrouted)),
            ..self.shared()
        }
    }

    /// The parts that are the same for all workers, or small.
    fn shared(&self) -> Self {
        Self {
            router: self.router.clone(),
            plans: Vec::new(),
            unrouted: self.unrouted.clone(),
            generation: Arc::new(Generation::clone(&self.generation)),
            certificates: self.certificates.clone(),
            asked: self.asked.clone(),
        }
    }
}

fn copy(plan: &Arc<Plan>) -> Arc<Plan> {
    Arc::new(Plan::clone(plan))
}

#[cfg(test)]
mod tests {
    use towergate_router::Rule;

    use super::*;

    fn table() -> Table {
        let rule = |n| Rule { paths: vec![format!(r"~/{n}\d+")], ..Rule::default() };
        let router = Router::new((0..10).map(rule).collect()).unwrap();
        Table {
            router: Arc::new(router),
            plans: (0..10).map(|_| Arc::default()).collect(),
            unrouted: Arc::default(),
            generation: Arc::default(),
            certificates: Arc::default(),
            asked: Asked::Nobody,
        }
    }

    #[test]
    fn workers_share_neither_router_nor_plans() {
        let table = table();
        let workers: Vec<_> = table.for_workers(3).collect();
        let [one, two, three] = workers.as_slice() else { panic!("three workers") };
        for (table, other) in [(one, two), (one, three), (two, three)] {
            assert!(!Arc::ptr_eq(&table.router, &other.router));
            assert!(!Arc::ptr_eq(&table.plans[0], &other.plans[0]));
            assert!(!Arc::ptr_eq(&table.unrouted, &other.unrouted));
            assert!(!Arc::ptr_eq(&table.generation, &other.generation));
        }
        assert!(Arc::ptr_eq(&table.plans[0], &one.plans[0]), "one worker's plans are not there twice");
    }

    #[test]
    fn a_worker_keeps_its_own_plans_but_those_that_changed() {
        let before = table();
        let mut next = before.share();
        next.plans[3] = Arc::default();
        for (worker, own) in before.for_workers(2).enumerate() {
            let now = next.for_worker_after(worker, &before, &own);
            let kept = |number: usize| Arc::ptr_eq(&now.plans[number], &own.plans[number]);
            assert_eq!((0..10).filter(|number| !kept(*number)).collect::<Vec<_>>(), [3]);
            assert_eq!(Arc::ptr_eq(&now.plans[3], &next.plans[3]), worker == 0);
            assert!(Arc::ptr_eq(&now.router, &own.router) && Arc::ptr_eq(&now.unrouted, &own.unrouted));
        }
    }
}
