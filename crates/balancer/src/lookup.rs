//! When the names of targets are to be looked up.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use towergate_core::{Balancing, Target};

use crate::{
    member,
    names::{Answer, Names},
};

/// Whether names are to be looked up now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookUp {
    /// No.
    None,
    /// Yes, beside requests, which go on with what was known. Only one caller is told so; it looks
    /// them up ([`Balancer::refresh`](crate::Balancer::refresh)).
    Beside,
    /// Yes, before any request: nothing is known yet.
    First,
}

/// As a time when names are due: nothing is known of them.
const NEVER: u64 = 0;
/// As a time when names are due: it has come.
const AT_ONCE: u64 = 1;

/// What is known of the targets' names.
#[derive(Debug)]
pub(crate) struct Known {
    /// Per target; `None` for one that is an address, or that was never looked up.
    answers: Mutex<Vec<Option<(Answer, Instant)>>>,
    /// Milliseconds from the beginning until names are due; [`NEVER`] if they were never looked up.
    due: AtomicU64,
    beginning: Instant,
    is_claimed: AtomicBool,
    turn: tokio::sync::Mutex<()>,
}

/// Names that are looked up by whoever holds this.
pub(crate) struct Turn<'a> {
    known: &'a Known,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.known.is_claimed.store(false, Ordering::Relaxed);
    }
}

impl Known {
    pub(crate) fn nothing(targets: usize, now: Instant) -> Self {
        Self {
            answers: Mutex::new(vec![None; targets]),
            due: AtomicU64::new(NEVER),
            beginning: now,
            is_claimed: AtomicBool::new(false),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Takes over what was known of names that are still there.
    pub(crate) fn after(before: &Self, old: &Balancing, new: &Balancing, now: Instant) -> Self {
        let next = Self::nothing(new.targets.len(), now);
        let known = before.lock();
        let find = |name: &str| old.targets.iter().position(|target| target.host == name);
        let answers: Vec<_> =
            new.targets.iter().map(|target| known.get(find(&target.host)?).cloned().flatten()).collect();
        drop(known);
        let is_unknown = |(target, answer): (&Target, &Option<_>)| is_name(target) && answer.is_none();
        let due = match answers.iter().flatten().map(|(_, expires)| *expires).min() {
            // Requests go on with what is known; if that is nothing, they wait.
            None if new.targets.iter().all(is_name) => NEVER,
            _ if new.targets.iter().zip(&answers).any(is_unknown) => AT_ONCE,
            due => next.millis_until(due),
        };
        *next.lock() = answers;
        next.due.store(due, Ordering::Relaxed);
        next
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Option<(Answer, Instant)>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn answers(&self) -> Vec<Option<Answer>> {
        self.lock().iter().map(|known| known.as_ref().map(|(answer, _)| answer.clone())).collect()
    }

    pub(crate) fn look_up(&self, now: Instant) -> LookUp {
        let due = self.due.load(Ordering::Relaxed);
        if due == NEVER {
            return LookUp::First;
        }
        if self.millis(now) < due || self.is_claimed.swap(true, Ordering::Relaxed) {
            return LookUp::None;
        }
        LookUp::Beside
    }

    /// When names are due next; `None` if they were never looked up.
    pub(crate) fn due(&self) -> Option<Instant> {
        let due = self.due.load(Ordering::Relaxed);
        if due == NEVER { None } else { self.beginning.checked_add(Duration::from_millis(due)) }
    }

    /// Waits for one's turn; `None` if somebody else has done it in the meantime.
    pub(crate) async fn turn(&self, now: Instant) -> Option<Turn<'_>> {
        let turn = Turn { _turn: self.turn.lock().await, known: self };
        let due = self.due.load(Ordering::Relaxed);
        (due == NEVER || self.millis(now) >= due).then_some(turn)
    }

    /// Looks up all names that have expired, all at once; answers whether any address has changed.
    pub(crate) async fn renew(&self, balancing: &Balancing, names: &dyn Names, now: Instant) -> bool {
        let expired: Vec<_> = {
            let known = self.lock();
            let is_due = |place: &usize| known.get(*place).is_none_or(|k| k.as_ref().is_none_or(|(_, e)| *e <= now));
            let targets =
                balancing.targets.iter().enumerate().filter(|(place, target)| is_name(target) && is_due(place));
            targets.map(|(place, target)| (place, target.host.as_str())).collect()
        };
        let answers = join_all(expired.iter().map(|(_, name)| names.look_up(name))).await;
        let mut known = self.lock();
        let mut has_changed = false;
        for ((place, _), mut answer) in expired.into_iter().zip(answers) {
            answer.addresses.sort_by(|a, b| (a.ip, a.port, a.weight, &a.name).cmp(&(b.ip, b.port, b.weight, &b.name)));
            answer.addresses.dedup();
            let expires = now.checked_add(answer.ttl.max(Duration::from_millis(1))).unwrap_or(now);
            if let Some(slot) = known.get_mut(place) {
                has_changed |= slot.as_ref().is_none_or(|(old, _)| old.addresses != answer.addresses);
                *slot = Some((answer, expires));
            }
        }
        let due = self.millis_until(known.iter().flatten().map(|(_, expires)| *expires).min());
        self.due.store(due, Ordering::Relaxed);
        has_changed
    }

    /// When names are due if the first of them expires then.
    fn millis_until(&self, expires: Option<Instant>) -> u64 {
        expires.map_or(u64::MAX, |expires| self.millis(expires).max(AT_ONCE))
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.beginning).as_millis()).unwrap_or(u64::MAX)
    }
}

fn is_name(target: &Target) -> bool {
    member::literal(target).is_none()
}
