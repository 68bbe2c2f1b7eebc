//! The addresses of one moment and whose turn it is.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use towergate_core::Balancing;

use crate::{member::Member, picker::Picker};

/// The addresses of one moment and whose turn it is. When the addresses change, another ring takes
/// its place.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) members: Vec<Member>,
    pub(crate) picker: Picker,
    threshold: f64,
    /// Whether so much of the weight is in rotation that the upstream is used at all.
    is_usable: AtomicBool,
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
        let picker = Picker::new(balancing, &members, before, now);
        let threshold = if is_watched { balancing.health.threshold } else { 0.0 };
        let is_usable = AtomicBool::new(true);
        let ring = Arc::new(Self { members, picker, threshold, is_usable, changing: Mutex::new(()) });
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

    /// A place that is none of `tried` as long as another is left, and never one of a barred target.
    pub(crate) fn pick(&self, hash: u32, tried: &[SocketAddr], barred: &[usize]) -> Option<usize> {
        if !self.is_usable() {
            return None;
        }
        let picker = self.picker.as_pick();
        if tried.is_empty() && barred.is_empty() {
            return picker.pick(hash, &[]);
        }
        let places = |is_avoided: &dyn Fn(&Member) -> bool| -> Vec<usize> {
            self.members.iter().enumerate().filter(|(_, member)| is_avoided(member)).map(|(place, _)| place).collect()
        };
        let is_barred = |member: &Member| barred.contains(&member.target);
        let open = |place: &usize| self.members.get(*place).is_some_and(|member| !is_barred(member));
        let avoided = places(&|member| tried.contains(&member.address) || is_barred(member));
        // With all tried, those that are not barred are tried a second time.
        picker.pick(hash, &avoided).filter(open).or_else(|| picker.pick(hash, &places(&is_barred)).filter(open))
    }

    /// Takes a member out of rotation or back, as its health is now.
    pub(crate) fn follow_health(&self, place: usize) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(member) = self.members.get(place) else { return };
        self.picker.as_pick().set_available(place, member.health.state().is_in_rotation());
        let (available, total) = self.weights();
        let percent = if total == 0 { 0.0 } else { available as f64 / total as f64 * 100.0 };
        self.is_usable.store(percent > self.threshold, Ordering::Relaxed);
    }

    /// The weight of the members in rotation, and of all.
    pub(crate) fn weights(&self) -> (u64, u64) {
        let sum = |members: &mut dyn Iterator<Item = &Member>| members.map(|member| u64::from(member.weight)).sum();
        let mut available = self.members.iter().filter(|member| member.health.state().is_in_rotation());
        (sum(&mut available), sum(&mut self.members.iter()))
    }

    /// The member that was chosen from this ring or from the one before it.
    pub(crate) fn member(&self, place: usize, target: usize, address: SocketAddr) -> Option<&Member> {
        let is_it = |member: &&Member| member.address == address && member.target == target;
        self.members.get(place).filter(is_it).or_else(|| self.members.iter().find(is_it))
    }
}
