//! When the parts of a request's way ran.

use std::{
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

/// When the parts of a request's way ran: each guard and each attempt at reaching the upstream.
///
/// Reading clocks costs a little, so it is only done if somebody [asks](Self::ask) before the request
/// goes on: an outer layer that traces this very request. A request nobody asks about pays a load
/// for each part.
///
/// Parts are begun and ended one inside the other. One whose end was never told (the client went
/// away, a guard's future was dropped) has none.
#[derive(Debug, Default)]
pub struct Spans {
    recorded: OnceLock<Box<Mutex<Vec<Span>>>>,
}

/// A part of a request's way, and when it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// What ran.
    pub part: Part,
    /// When it began.
    pub began: Instant,
    /// When it was over; `None` if it never came to that.
    pub ended: Option<Instant>,
}

/// A part of a request's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The guard of this name checked the request; waiting for a store is part of it.
    Check(&'static str),
    /// The guard of this name saw the response.
    Respond(&'static str),
    /// An attempt at reaching the upstream, from the choice of its address until the head of its
    /// answer, or until it failed.
    Attempt,
}

/// Room for the parts of a request with about so many; more are kept, too.
const USUAL_PARTS: usize = 24;

impl Spans {
    /// Asks that what comes now is recorded.
    pub fn ask(&self) {
        self.recorded.get_or_init(|| Box::new(Mutex::new(Vec::with_capacity(USUAL_PARTS))));
    }

    /// Whether somebody wants to know.
    pub fn is_asked(&self) -> bool {
        self.recorded.get().is_some()
    }

    /// This part begins now. Which it is, is only worked out if somebody wants to know.
    pub fn begin(&self, part: impl FnOnce() -> Part) {
        if let Some(mut spans) = self.recorded() {
            spans.push(Span { part: part(), began: Instant::now(), ended: None });
        }
    }

    /// The part begun last that is not over yet ends now.
    pub fn end(&self) {
        if let Some(mut spans) = self.recorded()
            && let Some(span) = spans.iter_mut().rev().find(|span| span.ended.is_none())
        {
            span.ended = Some(Instant::now());
        }
    }

    /// What ran so far, in the order in which it began; empty if nobody has asked.
    pub fn list(&self) -> Vec<Span> {
        self.recorded().map(|spans| spans.clone()).unwrap_or_default()
    }

    fn recorded(&self) -> Option<MutexGuard<'_, Vec<Span>>> {
        Some(self.recorded.get()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_recorded_for_those_who_ask() {
        let spans = Spans::default();
        spans.begin(|| unreachable!("nobody has asked"));
        spans.end();
        assert!(!spans.is_asked() && spans.list().is_empty());
        spans.ask();
        spans.begin(|| Part::Check("key-auth"));
        spans.end();
        spans.begin(|| Part::Attempt);
        spans.ask();
        let list = spans.list();
        assert!(spans.is_asked());
        assert_eq!(list.iter().map(|span| span.part).collect::<Vec<_>>(), [Part::Check("key-auth"), Part::Attempt]);
        assert!(list[0].ended.is_some_and(|ended| ended >= list[0].began));
        assert_eq!(list[1].ended, None, "it is still under way");
    }

    #[test]
    fn the_part_begun_last_ends_first() {
        let spans = Spans::default();
        spans.ask();
        spans.begin(|| Part::Attempt);
        spans.begin(|| Part::Check("inside"));
        spans.end();
        assert!(spans.list()[0].ended.is_none() && spans.list()[1].ended.is_some());
        spans.end();
        spans.end();
        assert!(spans.list().iter().all(|span| span.ended.is_some()));
    }
}
