//! The targets of an upstream, and where the next attempt goes.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use towergate_core::Balancing;

use crate::{
    book::Book,
    flight::Flight,
    lookup::{Known, LookUp},
    member,
    names::Names,
    ring::Ring,
    rules::{Outcome, Rules},
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
        let members = member::all(&balancing, &known.answers(), &book, now);
        let old = before.map(Self::ring);
        let ring = Ring::new(&balancing, members, is_watched, old.as_deref(), now);
        let current = match balancing.targets.iter().all(|target| member::literal(target).is_some()) {
            true => Current::Fixed(ring),
            false => Current::Changing { ring: ArcSwap::new(ring), known },
        };
        book.forget(now);
        let passive = Rules::new(balancing.health.passive.clone());
        let active = Rules::new(balancing.health.active.rules.clone());
        Self { passive, active, is_watched, balancing, book, current }
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
            let members = member::all(&self.balancing, &known.answers(), &self.book, now);
            let next = Ring::new(&self.balancing, members, self.is_watched, Some(&ring.load()), now);
            ring.store(next);
        }
    }

    /// Where the next attempt goes: to none of the addresses `tried` as long as another is left, and
    /// to no target that is `barred` (by its place in the configuration). `None` if nobody may be
    /// asked: too little is healthy, or nobody has an address.
    #[must_use]
    pub fn pick(&self, hash: u32, tried: &[SocketAddr], barred: &[usize]) -> Option<Picked> {
        self.with_ring(|ring| {
            let place = ring.pick(hash, tried, barred)?;
            let member = ring.members.get(place)?;
            let flight = Flight::begin(ring, place);
            let name = member.name.clone();
            Some(Picked { target: member.target, address: member.address, name, flight, place })
        })
    }

    /// Tells how an attempt went (passive health checks).
    pub fn report(&self, picked: &Picked, outcome: Outcome) {
        if !self.is_watched {
            return;
        }
        let Some(report) = self.passive.judge(outcome) else { return };
        let changed = self.with_ring(|ring| {
            let member = ring.member(picked.place, picked.target, picked.address)?;
            member.health.report(report, self.passive.limits())
        });
        if let Some(state) = changed {
            self.tell(picked.address, state.is_in_rotation(), "seen by requests");
        }
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

/// Kong watches health if anything can make a target unhealthy, or is asked for at intervals.
fn is_watched(balancing: &Balancing) -> bool {
    let (active, passive) = (&balancing.health.active, &balancing.health.passive);
    !active.healthy_interval.is_zero()
        || !active.unhealthy_interval.is_zero()
        || passive.tcp_failures > 0
        || passive.timeouts > 0
        || passive.http_failures > 0
}
