//! Asking the targets of an upstream how they are, beside requests.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::stream::{self, StreamExt};
use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{sleep, sleep_until},
};
use towergate_balancer::{Balancer, Names, Schedule};

use crate::probe::Prober;

/// How often names are looked at that were never looked up.
const LOOK: Duration = Duration::from_secs(1);

/// What is done beside requests for one upstream, until this is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    balancer: Arc<Balancer>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Asks its targets at the intervals set, looks up their names as they expire, and brings back who
    /// was left out for a while.
    pub(crate) fn start(balancer: Arc<Balancer>, prober: Prober, names: Arc<dyn Names>, handle: &Handle) -> Arc<Self> {
        let watched = balancer.clone();
        let task = handle.spawn(async move {
            let (balancer, prober) = (&*watched, &prober);
            tokio::join!(
                look_up(balancer, &*names),
                ask(balancer, prober, true),
                ask(balancer, prober, false),
                readmit(balancer)
            );
        });
        Arc::new(Self { balancer, task })
    }

    /// Whose it is.
    pub(crate) fn balancer(&self) -> &Arc<Balancer> {
        &self.balancer
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Asks those that are healthy, or those that are not, at their interval.
async fn ask(balancer: &Balancer, prober: &Prober, healthy: bool) {
    let checks = &balancer.balancing().health.active;
    let interval = if healthy { checks.healthy_interval } else { checks.unhealthy_interval };
    let Some(mut schedule) = Schedule::new(interval, Instant::now()) else { return };
    loop {
        sleep_until(schedule.next().into()).await;
        if !schedule.is_due(Instant::now()) {
            continue;
        }
        let subjects = stream::iter(balancer.subjects(healthy));
        let asking = subjects.for_each_concurrent(checks.concurrency.max(1), async |subject| {
            let outcome = prober.ask(&subject).await;
            balancer.probed(&subject, outcome, Instant::now());
        });
        asking.await;
    }
}

/// Brings targets back that were left out for a while.
async fn readmit(balancer: &Balancer) {
    let resilience = &balancer.balancing().resilience;
    if resilience.readmit_after.is_none() && resilience.outliers.is_none() {
        return;
    }
    loop {
        match balancer.readmit(Instant::now()) {
            None => balancer.ejected().await,
            Some(due) => tokio::select! {
                () = sleep_until(due.into()) => {}
                () = balancer.ejected() => {}
            },
        }
    }
}

/// Looks names up as they expire, so that no request meets old ones and health is watched of what is there.
async fn look_up(balancer: &Balancer, names: &dyn Names) {
    if balancer.has_names() {
        loop {
            let now = Instant::now();
            balancer.refresh(names, now).await;
            match balancer.next_look_up() {
                Some(due) if due > now => sleep_until(due.into()).await,
                _ => sleep(LOOK).await,
            }
        }
    }
}
