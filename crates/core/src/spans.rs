//! When the parts of a request's way ran.

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

/// When the parts of a request's way ran: each guard, each plugin that wraps the service, each look-up of a
/// name and each attempt at reaching the upstream.
///
/// Reading clocks costs a little, so it is only done if somebody [asks](Self::ask) before the request
/// goes on: an outer layer that traces this very request. A request nobody asks about pays a load
/// for each part.
///
/// Parts are begun and ended one inside the other. One whose end was never told (the client went
/// away, a guard's future was dropped) has none.
#[derive(Debug, Default)]
pub struct Spans {
    recorded: OnceLock<Box<Mutex<Recorded>>>,
}

#[derive(Debug, Default)]
struct Recorded {
    spans: Vec<Span>,
    look_ups: Vec<LookUp>,
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
    /// The plugin of this name checked the request; waiting for a store is part of it.
    Check(&'static str),
    /// The plugin of this name saw the response.
    Respond(&'static str),
    /// An attempt at reaching the upstream, from the choice of its address until the head of its
    /// answer, or until it failed.
    Attempt,
}

/// A name that was looked up, and that the request waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookUp {
    /// The name.
    pub name: String,
    /// The port that was asked for with it, if one was.
    pub port: Option<u16>,
    /// The address that was chosen, or what went wrong.
    pub found: Result<IpAddr, String>,
    /// When it began.
    pub began: Instant,
    /// When it was over.
    pub ended: Instant,
}

/// Room for the parts of a request with about so many; more are kept, too.
const USUAL_PARTS: usize = 24;

impl Spans {
    /// Asks that what comes now is recorded.
    pub fn ask(&self) {
        let empty = || Recorded { spans: Vec::with_capacity(USUAL_PARTS), look_ups: Vec::new() };
        self.recorded.get_or_init(|| Box::new(Mutex::new(empty())));
    }

    /// Whether somebody wants to know.
    pub fn is_asked(&self) -> bool {
        self.recorded.get().is_some()
    }

    /// This part begins now. Which it is, is only worked out if somebody wants to know.
    #[inline]
    pub fn begin(&self, part: impl FnOnce() -> Part) {
        if let Some(mut recorded) = self.recorded() {
            recorded.spans.push(Span { part: part(), began: Instant::now(), ended: None });
        }
    }

    /// The part begun last that is not over yet ends now.
    #[inline]
    pub fn end(&self) {
        if self.is_asked() {
            self.end_last();
        }
    }

    fn end_last(&self) {
        if let Some(mut recorded) = self.recorded()
            && let Some(span) = recorded.spans.iter_mut().rev().find(|span| span.ended.is_none())
        {
            span.ended = Some(Instant::now());
        }
    }

    /// What ran so far, in the order in which it began; empty if nobody has asked.
    pub fn list(&self) -> Vec<Span> {
        self.recorded().map(|recorded| recorded.spans.clone()).unwrap_or_default()
    }

    /// The request has waited for this. What it was, is only worked out if somebody wants to know.
    pub fn waited(&self, look_up: impl FnOnce() -> LookUp) {
        if let Some(mut recorded) = self.recorded() {
            recorded.look_ups.push(look_up());
        }
    }

    /// The names it has waited for so far, in the order in which they were known; empty if nobody has asked.
    pub fn look_ups(&self) -> Vec<LookUp> {
        self.recorded().map(|recorded| recorded.look_ups.clone()).unwrap_or_default()
    }

    fn recorded(&self) -> Option<MutexGuard<'_, Recorded>> {
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
        spans.waited(|| unreachable!("nobody has asked"));
        assert!(!spans.is_asked() && spans.list().is_empty() && spans.look_ups().is_empty());
        spans.ask();
        let now = Instant::now();
        let found = Err("nobody knows it".to_owned());
        let look_up = LookUp { name: "a.test".into(), port: Some(80), found, began: now, ended: now };
        spans.waited(|| look_up.clone());
        assert_eq!(spans.look_ups(), [look_up]);
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
