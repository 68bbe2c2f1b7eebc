//! The addresses of one moment and whose turn it is.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use towergate_core::Balancing;

use crate::{member::Member, picker::Picker, wish::Wish};

/// The addresses of one moment and whose turn it is. When the addresses change, another ring takes
/// its place.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) members: Vec<Member>,
    pub(crate) picker: Picker,
    upstream: Box<str>,
    is_watched: bool,
    threshold: f64,
    panic_threshold: f64,
    slow_start: Option<Duration>,
    /// Whether so much of the weight is in rotation that the upstream is used at all.
    is_usable: AtomicBool,
    /// Whether so little of it is that all are used.
    is_panicking: AtomicBool,
    changing: Mutex<()>,
}

impl Ring {
    /// A ring of these members. If their health is watched, it follows that.
    pub(crate) fn new(
        balancing: &Balancing,
        members: Vec<Member>,
        is_watched: bool,
        before: Option<&Self>,
        now: Instant,
    ) -> Arc<Self> {
        let ring = Arc::new(Self {
            picker: Picker::new(balancing, &members, before, now),
            members,
            upstream: balancing.name.as_str().into(),
            is_watched,
            threshold: if is_watched { balancing.health.threshold } else { 0.0 },
            panic_threshold: if is_watched { balancing.resilience.panic_threshold } else { 0.0 },
            slow_start: balancing.resilience.slow_start,
            is_usable: AtomicBool::new(true),
            is_panicking: AtomicBool::new(false),
            changing: Mutex::new(()),
        });
        if is_watched {
            for (place, member) in ring.members.iter().enumerate().filter(|(_, member)| member.weight > 0) {
                member.health.tell(&ring, place);
            }
        }
        ring
    }

    pub(crate) fn is_usable(&self) -> bool {
        self.is_usable.load(Ordering::Relaxed)
    }

    /// Whether all are used because too few are well.
    pub(crate) fn is_panicking(&self) -> bool {
        self.is_panicking.load(Ordering::Relaxed)
    }

    /// A place as it is wished for, and what its client is to bring next time, if that is new.
    pub(crate) fn pick(&self, wish: &Wish<'_>) -> Option<(usize, Option<&str>)> {
        if !self.is_usable() {
            return None;
        }
        if let Picker::Sticky(sticky) = &self.picker
            && let Some(stuck) = sticky.pick(wish.token, &self.avoided(wish), |place| self.is_open(place, wish))
            && self.is_open(stuck.place, wish)
        {
            return Some((stuck.place, stuck.token));
        }
        let place = self.turn(wish)?;
        let Some(slow_start) = self.slow_start else { return Some((place, None)) };
        Some((self.warm(place, slow_start, wish), None))
    }

    /// The place that the algorithm chooses.
    fn turn(&self, wish: &Wish<'_>) -> Option<usize> {
        let picker = self.picker.as_pick();
        if wish.tried.is_empty() && wish.barred.is_empty() {
            return picker.pick(wish.hash, &[]);
        }
        let is_barred = |member: &Member| wish.barred.contains(&member.target);
        let open = |place: &usize| self.members.get(*place).is_some_and(|member| !is_barred(member));
        // With all tried, those that are not barred are tried a second time.
        let first = picker.pick(wish.hash, &self.avoided(wish)).filter(open);
        first.or_else(|| picker.pick(wish.hash, &self.places(is_barred)).filter(open))
    }

    /// The same place, as often as it is warm; else another that is wished for. So in round-robin its weight
    /// counts in part; other algorithms pass it over in part of the cases in which they would choose it.
    fn warm(&self, place: usize, slow_start: Duration, wish: &Wish<'_>) -> usize {
        let part = self.members.get(place).map_or(1.0, |member| member.health.part(slow_start, wish.now));
        if part >= 1.0 || fastrand::f64() < part {
            return place;
        }
        let mut avoided = self.avoided(wish);
        avoided.push(place);
        let other = self.picker.as_pick().pick(wish.hash, &avoided);
        other.filter(|other| !avoided.contains(other)).unwrap_or(place)
    }

    /// The places that are not wished for.
    fn avoided(&self, wish: &Wish<'_>) -> Vec<usize> {
        if wish.tried.is_empty() && wish.barred.is_empty() {
            return Vec::new();
        }
        self.places(|member| wish.tried.contains(&member.address) || wish.barred.contains(&member.target))
    }

    fn places(&self, is_meant: impl Fn(&Member) -> bool) -> Vec<usize> {
        self.members.iter().enumerate().filter(|(_, member)| is_meant(member)).map(|(place, _)| place).collect()
    }

    /// Whether a place gets requests, and this one.
    fn is_open(&self, place: usize, wish: &Wish<'_>) -> bool {
        self.members.get(place).is_some_and(|member| {
            let is_well = !self.is_watched || self.is_panicking() || member.health.is_available();
            is_well && member.weight > 0 && !wish.barred.contains(&member.target)
        })
    }

    /// Takes a member out of rotation or back, as its health is now.
    pub(crate) fn follow_health(&self, place: usize) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (available, total) = self.weights();
        let percent = if total == 0 { 0.0 } else { available as f64 / total as f64 * 100.0 };
        let is_panicking = percent < self.panic_threshold;
        let was_panicking = self.is_panicking.swap(is_panicking, Ordering::Relaxed);
        let set = |place: usize, member: &Member| {
            self.picker.as_pick().set_available(place, is_panicking || member.health.is_available());
        };
        if is_panicking == was_panicking {
            self.members.get(place).into_iter().for_each(|member| set(place, member));
        } else {
            self.members.iter().enumerate().for_each(|(place, member)| set(place, member));
            self.tell(is_panicking, percent);
        }
        self.is_usable.store(is_panicking || percent > self.threshold, Ordering::Relaxed);
    }

    fn tell(&self, is_panicking: bool, percent: f64) {
        let (upstream, threshold) = (&*self.upstream, self.panic_threshold);
        match is_panicking {
            true => tracing::warn!(upstream, percent, threshold, "Too few targets are healthy: all are used"),
            false => tracing::info!(upstream, percent, threshold, "Enough targets are healthy again"),
        }
    }

    /// The weight of the members in rotation, and of all.
    pub(crate) fn weights(&self) -> (u64, u64) {
        let sum = |members: &mut dyn Iterator<Item = &Member>| members.map(|member| u64::from(member.weight)).sum();
        let mut available = self.members.iter().filter(|member| member.health.is_available());
        (sum(&mut available), sum(&mut self.members.iter()))
    }

    /// The member that was chosen from this ring or from the one before it.
    pub(crate) fn member(&self, place: usize, target: usize, address: SocketAddr) -> Option<&Member> {
        let is_it = |member: &&Member| member.address == address && member.target == target;
        self.members.get(place).filter(is_it).or_else(|| self.members.iter().find(is_it))
    }
}
