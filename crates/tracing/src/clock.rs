//! From a process's clock to the time of day.

use std::time::{Duration, Instant, SystemTime};

use towergate_core::Timing;

/// Both clocks at the moment a request began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    since_epoch: Duration,
}

impl Clock {
    pub(crate) fn of(timing: &Timing) -> Self {
        let since_epoch = timing.started_at().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started: timing.started(), since_epoch }
    }

    fn since_epoch(self, moment: Instant) -> Duration {
        self.since_epoch.saturating_add(moment.saturating_duration_since(self.started))
    }

    /// In nanoseconds since 1970.
    pub(crate) fn nanoseconds(self, moment: Instant) -> u64 {
        u64::try_from(self.since_epoch(moment).as_nanos()).unwrap_or(u64::MAX)
    }

    /// In microseconds since 1970.
    pub(crate) fn microseconds(self, moment: Instant) -> u64 {
        u64::try_from(self.since_epoch(moment).as_micros()).unwrap_or(u64::MAX)
    }
}
