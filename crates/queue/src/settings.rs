//! How a queue behaves.

use std::time::Duration;

use crate::config::QueueConfig;

/// How a queue behaves. The defaults are Kong's.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How many entries are delivered together at most; 0 counts as 1.
    pub max_batch_size: usize,
    /// How long a batch that is not full waits for more.
    pub max_coalescing_delay: Duration,
    /// How many entries may wait; 0 counts as 1.
    pub max_entries: usize,
    /// How many bytes may wait.
    pub max_bytes: Option<usize>,
    /// How long after its first attempt a batch is given up; `None` is after the first.
    pub max_retry_time: Option<Duration>,
    /// The wait before the first retry; each further one is twice as long.
    pub initial_retry_delay: Duration,
    /// The longest wait between two retries.
    pub max_retry_delay: Duration,
    /// Whether each entry is delivered at once, beside others that are under way.
    pub is_concurrent: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_batch_size: 1,
            max_coalescing_delay: Duration::from_secs(1),
            max_entries: 10_000,
            max_bytes: None,
            max_retry_time: Some(Duration::from_secs(60)),
            initial_retry_delay: Duration::from_millis(10),
            max_retry_delay: Duration::from_secs(60),
            is_concurrent: false,
        }
    }
}

impl From<&QueueConfig> for Settings {
    /// What is not given is Kong's default.
    fn from(config: &QueueConfig) -> Self {
        let default = Self::default();
        Self {
            max_batch_size: config.max_batch_size.map_or(default.max_batch_size, size),
            max_coalescing_delay: config.max_coalescing_delay.map_or(default.max_coalescing_delay, seconds),
            max_entries: config.max_entries.map_or(default.max_entries, size),
            max_bytes: config.max_bytes.map(size),
            max_retry_time: match config.max_retry_time {
                None => default.max_retry_time,
                Some(time) if time < 0.0 => None,
                Some(time) => Some(seconds(time)),
            },
            initial_retry_delay: config.initial_retry_delay.map_or(default.initial_retry_delay, seconds),
            max_retry_delay: config.max_retry_delay.map_or(default.max_retry_delay, seconds),
            is_concurrent: config.concurrency_limit == Some(-1),
        }
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What is too long for a clock is a century, which is long enough.
fn seconds(number: f64) -> Duration {
    const CENTURY: Duration = Duration::from_hours(24 * 365 * 100);
    Duration::try_from_secs_f64(number).map_or(CENTURY, |time| time.min(CENTURY))
}
