//! The targets of an upstream, and where the next attempt goes.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use towergate_core::{Balancing, OutlierEjection};

use crate::{
    book::Book,
    flight::Flight,
    limiter::{Full, Limiter, Permit},
    lookup::{Known, LookUp},
    member::{self, Member},
    names::Names,
    ring::Ring,
    rules::{Outcome, Rules},
    wish::Wish,
};

/// The targets of an upstream with their addresses and their health.
///
/// All workers share one: picking and telling outcomes takes atomic operations only. Names are looked
/// up before the first request that needs them, and from then on beside requests.
#[derive(Debug)]
pub struct Balancer {
    balancing: Arc<Balancing>,
    passive: Rules,
    active: Rules,
    is_watched: bool,
    book: Arc<Book>,
    current: Current,
    limiter: Option<Arc<Limiter>>,
    /// Told when a target left that comes back by itself.
    ejected: Notify,
}

/// The ring in force.
#[derive(Debug)]
enum Current {
    /// All targets are addresses: it stays.
    Fixed(Arc<Ring>),
    /// Some are names: it changes with what they mean.
    Changing { ring: ArcSwap<Ring>, known: Known },
}

/// Where an attempt goes.
#[derive(Debug)]
pub struct Picked {
    /// The place of the target in the configuration.
    pub target: usize,
    /// The address.
    pub address: SocketAddr,
    /// The name of the service there, if that is to be the host (`use_srv_name`).
    pub name: Option<Arc<str>>,
    /// To be kept until the request is over, where the algorithm counts requests.
    pub flight: Option<Flight>,
    /// What the client is to bring next time to come back here, where sessions are sticky and it has
    /// brought something else.
    pub token: Option<String>,
    place: usize,
}

impl Balancer {
    /// For an upstream that was not there before.
    #[must_use]
    pub fn new(balancing: Arc<Balancing>, now: Instant) -> Self {
        Self::made(balancing, Arc::default(), None, now)
    }

    /// For an upstream that has changed: goes on with what is known of the health, the latencies and
    /// the names of its targets.
    #[must_use]
    pub fn after(before: &Self, balancing: Arc<Balancing>, now: Instant) -> Self {
        Self::made(balancing, before.book.clone(), Some(before), now)
    }

    fn made(balancing: Arc<Balancing>, book: Arc<Book>, before: Option<&Self>, now: Instant) -> Self {
        let is_watched = is_watched(&balancing);
        let known = match before.map(|before| (before, &before.current)) {
            Some((before, Current::Changing { known, .. })) => Known::after(known, &before.balancing, &balancing, now),
            _ => Known::nothing(balancing.targets.len(), now),
        };
        let old = before.map(Self::ring);
        let are_first = old.as_ref().is_none_or(|old| old.members.is_empty());
        let members = member::all(&balancing, &known.answers(), &book, are_first, now);
        let ring = Ring::new(&balancing, members, is_watched, old.as_deref(), now);
        let current = match balancing.targets.iter().all(|target| member::literal(target).is_some()) {
            true => Current::Fixed(ring),
            false => Current::Changing { ring: ArcSwap::new(ring), known },
        };
        book.forget(now);
        let passive = Rules::new(balancing.health.passive.clone());
        let active = Rules::new(balancing.health.active.rules.clone());
        let limiter = limiter(&balancing, before);
        Self { passive, active, is_watched, balancing, book, current, limiter, ejected: Notify::new() }
    }

    /// The upstream as configured.
    #[must_use]
    pub fn balancing(&self) -> &Arc<Balancing> {
        &self.balancing
    }

    /// Whether health is watched at all: if not, all targets count as well.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// Whether any target may be used now.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.with_ring(|ring| ring.is_usable() && ring.weights().0 > 0)
    }

    /// Whether any target is a name.
    #[must_use]
    pub fn has_names(&self) -> bool {
        matches!(self.current, Current::Changing { .. })
    }

    /// Whether names are to be looked up now.
    #[must_use]
    pub fn look_up(&self, now: Instant) -> LookUp {
        match &self.current {
            Current::Fixed(_) => LookUp::None,
            Current::Changing { known, .. } => known.look_up(now),
        }
    }

    /// When names are to be looked up next; `None` if there are none.
    #[must_use]
    pub fn next_look_up(&self) -> Option<Instant> {
        match &self.current {
            Current::Fixed(_) => None,
            Current::Changing { known, .. } => known.due(),
        }
    }

    /// Looks up the names that have expired; those who ask at the same time wait for one look-up.
    pub async fn refresh(&self, names: &dyn Names, now: Instant) {
        let Current::Changing { ring, known } = &self.current else { return };
        let Some(_turn) = known.turn(now).await else { return };
        if known.renew(&self.balancing, names, now).await {
            let are_first = ring.load().members.is_empty();
            let members = member::all(&self.balancing, &known.answers(), &self.book, are_first, now);
            let next = Ring::new(&self.balancing, members, self.is_watched, Some(&ring.load()), now);
            ring.store(next);
        }
    }

    /// A place for one more request, where there is a limit: `None` says that there is none.
    #[must_use]
    pub fn limit(&self) -> Option<impl Future<Output = Result<Permit, Full>> + Send + '_> {
        let limiter = self.limiter.as_deref()?;
        Some(async move {
            match limiter.enter() {
                Some(permit) => Ok(permit),
                None => limiter.wait().await,
            }
        })
    }

    /// Where the next attempt goes: to none of the addresses tried as long as another is left, and to no
    /// target that is barred. `None` if nobody may be asked: too little is healthy, or nobody has an
    /// address.
    #[must_use]
    pub fn pick(&self, wish: &Wish<'_>) -> Option<Picked> {
        self.with_ring(|ring| {
            let (place, token) = ring.pick(wish)?;
            let member = ring.members.get(place)?;
            let flight = Flight::begin(ring, place);
            let (name, token) = (member.name.clone(), token.map(str::to_owned));
            Some(Picked { target: member.target, address: member.address, name, flight, token, place })
        })
    }

    /// Tells how an attempt went (passive health checks).
    pub fn report(&self, picked: &Picked, outcome: Outcome) {
        if self.is_watched {
            self.report_at(picked, outcome, Instant::now());
        }
    }

    /// The same at this time.
    pub fn report_at(&self, picked: &Picked, outcome: Outcome, now: Instant) {
        if !self.is_watched {
            return;
        }
        let resilience = &self.balancing.resilience;
        let readmitted = resilience.readmit_after.and_then(|after| now.checked_add(after));
        let report = self.passive.judge(outcome);
        let (changed, ejected) = self.with_ring(|ring| {
            let Some(member) = ring.member(picked.place, picked.target, picked.address) else { return (None, None) };
            let limits = self.passive.limits();
            let changed = report.and_then(|report| member.health.report(report, limits, readmitted, now));
            let ejected = resilience.outliers.as_ref().and_then(|rules| eject(ring, member, outcome, rules, now));
            (changed, ejected)
        });
        if let Some(is_healthy) = changed {
            self.tell(picked.address, is_healthy, "seen by requests");
        }
        if let Some(is_healthy) = ejected {
            self.tell(picked.address, is_healthy, "fails more often than it may");
        }
        if changed.is_some() || ejected.is_some() {
            self.ejected.notify_one();
        }
    }

    /// Brings targets back whose time has come; answers when it comes for the next, if there is one.
    pub fn readmit(&self, now: Instant) -> Option<Instant> {
        let ring = self.ring();
        let member = |member: &Member| {
            let (changed, due) = member.health.readmit(now);
            if let Some(is_healthy) = changed {
                self.tell(member.address, is_healthy, "its time is over");
            }
            due
        };
        ring.members.iter().filter_map(member).min()
    }

    /// Waits until a target may have left that comes back by itself.
    pub async fn ejected(&self) {
        self.ejected.notified().await;
    }

    pub(crate) fn active_rules(&self) -> &Rules {
        &self.active
    }

    pub(crate) fn tell(&self, address: SocketAddr, is_healthy: bool, how: &str) {
        let upstream = self.balancing.name.as_str();
        match is_healthy {
            true => tracing::info!(upstream, target = %address, how, "Target is healthy"),
            false => tracing::warn!(upstream, target = %address, how, "Target is unhealthy"),
        }
    }

    pub(crate) fn with_ring<R>(&self, use_it: impl FnOnce(&Arc<Ring>) -> R) -> R {
        match &self.current {
            Current::Fixed(ring) => use_it(ring),
            Current::Changing { ring, .. } => use_it(&ring.load()),
        }
    }

    pub(crate) fn ring(&self) -> Arc<Ring> {
        self.with_ring(Arc::clone)
    }

    /// What is known of the targets' names, by their places.
    pub(crate) fn answers(&self) -> Vec<Option<crate::names::Answer>> {
        match &self.current {
            Current::Fixed(_) => vec![None; self.balancing.targets.len()],
            Current::Changing { known, .. } => known.answers(),
        }
    }
}

/// Leaves a member out that is an outlier, unless too many are left out already.
fn eject(ring: &Ring, member: &Member, outcome: Outcome, rules: &OutlierEjection, now: Instant) -> Option<bool> {
    if !member.health.tally.note(outcome, rules, now) || !member.health.is_available() {
        return None;
    }
    let members = ring.members.iter().filter(|member| member.weight > 0);
    let (all, ejected) = members.fold((0.0, 1.0), |(all, ejected), member| {
        (all + 1.0, ejected + f64::from(u8::from(member.health.is_ejected())))
    });
    if ejected * 100.0 > rules.max_ejected_percentage * all {
        return None;
    }
    member.health.tally.clear();
    member.health.eject(now.checked_add(rules.ejection_time)?, now)
}

/// The limit of an upstream; one that did not change goes on with the requests that were let in.
fn limiter(balancing: &Balancing, before: Option<&Balancer>) -> Option<Arc<Limiter>> {
    let limit = balancing.resilience.limit.clone()?;
    let known = before.and_then(|before| before.limiter.as_ref()).filter(|limiter| limiter.limit == limit);
    Some(known.cloned().unwrap_or_else(|| Arc::new(Limiter::new(limit))))
}

/// Kong watches health if anything can make a target unhealthy, or is asked for at intervals.
fn is_watched(balancing: &Balancing) -> bool {
    let (active, passive) = (&balancing.health.active, &balancing.health.passive);
    !active.healthy_interval.is_zero()
        || !active.unhealthy_interval.is_zero()
        || passive.tcp_failures > 0
        || passive.timeouts > 0
        || passive.http_failures > 0
        || balancing.resilience.outliers.is_some()
}
