//! When targets are asked how they are.

use std::time::{Duration, Instant};

/// When the targets of one status are asked: each time an interval has passed, all at once. The first
/// time is one interval after the beginning.
///
/// ```
/// use std::time::{Duration, Instant};
/// use towergate_balancer::Schedule;
///
/// let start = Instant::now();
/// let mut schedule = Schedule::new(Duration::from_secs(5), start).unwrap();
/// assert!(!schedule.is_due(start + Duration::from_secs(4)));
/// assert!(schedule.is_due(start + Duration::from_secs(5)));
/// assert!(!schedule.is_due(start + Duration::from_secs(6)));
/// assert_eq!(schedule.next(), start + Duration::from_secs(10));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    interval: Duration,
    next: Instant,
}

impl Schedule {
    /// From now on at this interval; `None` if that is zero, which is never.
    #[must_use]
    pub fn new(interval: Duration, now: Instant) -> Option<Self> {
        if interval.is_zero() { None } else { Some(Self { interval, next: now.checked_add(interval)? }) }
    }

    /// When they are asked next.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Whether they are to be asked now. Times that were missed are not made up for.
    pub fn is_due(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        let on_time = self.next.checked_add(self.interval).filter(|next| *next > now);
        self.next = on_time.or_else(|| now.checked_add(self.interval)).unwrap_or(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn zero_is_never() {
        assert_eq!(Schedule::new(Duration::ZERO, Instant::now()), None);
        assert_eq!(Schedule::new(Duration::MAX, Instant::now()), None);
    }

    #[test]
    fn a_late_look_does_not_shift_the_rest_and_missed_times_are_gone() {
        let start = Instant::now();
        let mut schedule = Schedule::new(SECOND, start).unwrap();
        assert!(schedule.is_due(start + SECOND.mul_f32(1.2)));
        assert_eq!(schedule.next(), start + SECOND * 2);
        assert!(schedule.is_due(start + SECOND * 7));
        assert_eq!(schedule.next(), start + SECOND * 8);
    }
}
