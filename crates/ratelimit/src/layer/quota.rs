//! Quotas with their units in their types.

use std::{num::NonZeroU32, time::Duration};

/// So many requests in so much time: `Quota::per_minute(n)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub(crate) requests: NonZeroU32,
    pub(crate) time: Duration,
    pub(crate) burst: Option<NonZeroU32>,
}

impl Quota {
    /// So many requests in this time, of which less than a millisecond counts as one.
    pub const fn per(requests: NonZeroU32, time: Duration) -> Self {
        Self { requests, time, burst: None }
    }

    /// So many requests a second.
    pub const fn per_second(requests: NonZeroU32) -> Self {
        Self::per(requests, Duration::from_secs(1))
    }

    /// So many requests a minute.
    pub const fn per_minute(requests: NonZeroU32) -> Self {
        Self::per(requests, Duration::from_secs(60))
    }

    /// So many requests an hour.
    pub const fn per_hour(requests: NonZeroU32) -> Self {
        Self::per(requests, Duration::from_secs(3600))
    }

    /// So many requests a day.
    pub const fn per_day(requests: NonZeroU32) -> Self {
        Self::per(requests, Duration::from_secs(86_400))
    }

    /// Of a token bucket: so many requests at once before the rate counts; without it one whole
    /// quota. Windows have no bursts.
    #[must_use]
    pub const fn burst(mut self, requests: NonZeroU32) -> Self {
        self.burst = Some(requests);
        self
    }
}
