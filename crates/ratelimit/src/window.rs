//! Windows: so many requests in so much time.

use std::{hash::Hasher, time::Duration};

use siphasher::sip::SipHasher13;

use crate::period::Period;

/// How a window moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowType {
    /// Each request belongs to one stretch of time; with the next, counting begins again.
    Fixed,
    /// The stretch before counts as far as it reaches into the time that the window covers: of its
    /// requests, taken as evenly spread, the part that is not older than the window.
    #[default]
    Sliding,
}

/// How long a window is, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// A period of the calendar.
    Calendar(Period),
    /// Any number of milliseconds above zero; windows begin at multiples of it since 1970.
    Every(u64),
}

/// So many requests in so much time.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    pub(crate) span: Span,
    pub(crate) kind: WindowType,
    /// The limit as it is shown.
    pub(crate) limit: f64,
    /// What tells its counters from those of other windows in a store: `minute`, `60`.
    pub(crate) label: Box<str>,
    id: u64,
}

impl Window {
    /// A period of the calendar in which `limit` requests may be made.
    pub fn calendar(period: Period, limit: f64) -> Self {
        Self::labelled(Span::Calendar(period), WindowType::Fixed, limit, period.name())
    }

    /// A window of this size (whole milliseconds, at least one) in which `limit` requests may be made.
    pub fn every(size: Duration, kind: WindowType, limit: f64) -> Self {
        let milliseconds = u64::try_from(size.as_millis()).unwrap_or(u64::MAX).max(1);
        let label = match milliseconds % 1000 {
            0 => (milliseconds / 1000).to_string(),
            _ => (milliseconds as f64 / 1000.0).to_string(),
        };
        Self::labelled(Span::Every(milliseconds), kind, limit, &label)
    }

    /// A window whose counters are told from others by this label.
    pub(crate) fn labelled(span: Span, kind: WindowType, limit: f64, label: &str) -> Self {
        let mut id = SipHasher13::new();
        id.write(label.as_bytes());
        id.write_u8(u8::from(kind == WindowType::Sliding));
        Self { span, kind, limit, label: label.into(), id: id.finish() }
    }

    /// The limit.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// Its nominal length in milliseconds.
    pub(crate) fn nominal(&self) -> u64 {
        match self.span {
            Span::Calendar(period) => period.seconds().saturating_mul(1000),
            Span::Every(size) => size,
        }
    }

    /// Where a request of this moment is counted: `cost` times.
    pub fn cell(&self, now: u64, cost: i64) -> Cell {
        let (start, size) = match self.span {
            Span::Calendar(period) => period.around(now),
            Span::Every(size) => (now.saturating_sub(now.checked_rem(size).unwrap_or(0)), size.max(1)),
        };
        // A limit of 1.5 lets a second request through where windows are fixed, as in Kong.
        let ceiling = if self.kind == WindowType::Fixed { self.limit.ceil() } else { self.limit };
        Cell { id: self.id, start, size, kind: self.kind, ceiling, cost, current: 0, previous: 0 }
    }
}

/// One window of one key at one moment: where a store counts, and what it found there before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Tells the window from others of the key.
    pub(crate) id: u64,
    /// When it began, in milliseconds since 1970.
    pub start: u64,
    /// How long it is, in milliseconds.
    pub size: u64,
    pub(crate) kind: WindowType,
    /// How much may be used.
    pub(crate) ceiling: f64,
    /// How much is to be counted; 0 only looks.
    pub cost: i64,
    /// What had been counted in it.
    pub current: i64,
    /// What had been counted in the one before it; 0 for fixed windows.
    pub previous: i64,
}

impl Cell {
    /// When the window ends, in milliseconds since 1970.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.size)
    }

    /// When nobody needs what was counted in it any more.
    pub(crate) fn expires(&self) -> u64 {
        match self.kind {
            WindowType::Fixed => self.end(),
            WindowType::Sliding => self.end().saturating_add(self.size),
        }
    }

    /// The part of the window before that counts at this moment: 1 at the beginning, 0 at the end.
    pub(crate) fn weight(&self, now: u64) -> f64 {
        match self.kind {
            WindowType::Fixed => 0.0,
            WindowType::Sliding => 1.0 - (now.saturating_sub(self.start).min(self.size) as f64 / self.size as f64),
        }
    }

    /// How much was used before this request.
    pub fn used(&self, now: u64) -> f64 {
        self.current as f64 + self.previous as f64 * self.weight(now)
    }

    /// Whether a request that costs something may go on.
    pub(crate) fn admits(&self, now: u64) -> bool {
        self.cost <= 0 || self.used(now) + 1.0 <= self.ceiling
    }

    /// How long, in milliseconds from `now`, until a request would be let through if none came
    /// before, after `current` had been counted: the end of a fixed window; in a sliding one the
    /// moment when enough has been forgotten, in this window or in the next.
    pub(crate) fn wait(&self, now: u64, current: i64) -> u64 {
        let rest = self.end().saturating_sub(now);
        if self.kind == WindowType::Fixed {
            return rest;
        }
        let (size, current) = (self.size as f64, current as f64);
        let free = self.ceiling - 1.0;
        let wait = if current <= free {
            // previous × (1 − elapsed / size) + current ≤ free
            let elapsed = size * (1.0 - (free - current) / (self.previous as f64).max(1.0));
            elapsed - now.saturating_sub(self.start) as f64
        } else {
            rest as f64 + size * (1.0 - free.max(0.0) / current)
        };
        // Beyond the range of milliseconds or below zero, a float becomes the nearest of them.
        wait.ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_any_size_begin_at_its_multiples() {
        let cell = Window::every(Duration::from_secs(30), WindowType::Fixed, 5.0).cell(95_500, 1);
        assert_eq!((cell.start, cell.end(), cell.expires()), (90_000, 120_000, 120_000));
        let cell = Window::every(Duration::from_millis(500), WindowType::Sliding, 5.0).cell(1_750, 1);
        assert_eq!((cell.start, cell.end(), cell.expires()), (1_500, 2_000, 2_500));
        assert_eq!(Window::every(Duration::from_millis(500), WindowType::Sliding, 5.0).label.as_ref(), "0.5");
        assert_eq!(Window::every(Duration::ZERO, WindowType::Fixed, 1.0).cell(7, 1).size, 1);
    }

    #[test]
    fn a_sliding_window_forgets_the_one_before_bit_by_bit() {
        let window = Window::every(Duration::from_secs(60), WindowType::Sliding, 10.0);
        for (now, used) in [(60_000, 8.0), (75_000, 6.5), (90_000, 5.0), (119_999, 2.0001)] {
            let cell = Cell { current: 2, previous: 6, ..window.cell(now, 1) };
            assert!((cell.used(now) - used).abs() < 1e-9, "{now}: {}", cell.used(now));
        }
    }

    #[test]
    fn a_fraction_of_a_limit_lets_one_more_through_if_fixed() {
        let fixed = Window::calendar(Period::Minute, 1.5);
        assert!(Cell { current: 1, ..fixed.cell(0, 1) }.admits(0));
        assert!(!Cell { current: 2, ..fixed.cell(0, 1) }.admits(0));
        let sliding = Window::every(Duration::from_secs(1), WindowType::Sliding, 1.5);
        assert!(!Cell { current: 1, ..sliding.cell(0, 1) }.admits(0));
    }

    #[test]
    fn what_costs_nothing_is_let_through() {
        let cell = Window::calendar(Period::Minute, 1.0).cell(0, 0);
        assert!(Cell { current: 5, ..cell }.admits(0));
    }

    #[test]
    fn after_the_wait_and_not_before_a_request_is_let_through() {
        let window = Window::every(Duration::from_secs(60), WindowType::Sliding, 10.0);
        for (now, current, previous) in
            [(60_000, 0, 20), (65_000, 3, 10), (65_000, 10, 0), (65_000, 10, 10), (119_000, 25, 3), (90_000, 9, 10)]
        {
            let cell = Cell { current, previous, ..window.cell(now, 1) };
            assert!(!cell.admits(now), "{cell:?}");
            let wait = cell.wait(now, current);
            let at = |moment: u64| {
                let later = window.cell(moment, 1);
                let rotated = later.start > cell.start;
                let counts = if rotated { (0, current) } else { (current, previous) };
                Cell { current: counts.0, previous: counts.1, ..later }.admits(moment)
            };
            assert!(at(now + wait), "{cell:?} {wait}");
            assert!(!at(now + wait - 2), "{cell:?} {wait}");
        }
    }

    #[test]
    fn a_limit_below_one_waits_for_both_windows() {
        let window = Window::every(Duration::from_secs(60), WindowType::Sliding, 0.5);
        assert_eq!(Cell { current: 1, ..window.cell(0, 1) }.wait(0, 1), 120_000);
    }
}
