//! What an operator writes.

use serde::{Deserialize, Serialize};
use towergate_schema::Schema;

/// How a plugin's entries wait for their collector (`queue` of its configuration).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, deny_unknown_fields)]
pub struct QueueConfig {
    /// How many entries are delivered together at most.
    #[schema(default = 1, between(1, 1_000_000))]
    pub max_batch_size: Option<u64>,
    /// How many seconds a batch that is not full waits for more entries. Of no effect if
    /// `max_batch_size` is 1.
    #[schema(default = 1, between(0, 3600))]
    pub max_coalescing_delay: Option<f64>,
    /// How many entries may wait. Above that the oldest is dropped.
    #[schema(default = 10_000, between(1, 1_000_000))]
    pub max_entries: Option<u64>,
    /// How many bytes may wait, together. Above that the oldest entries are dropped.
    pub max_bytes: Option<u64>,
    /// After how many seconds a batch that cannot be delivered is given up; -1 is after the first attempt.
    #[schema(default = 60)]
    pub max_retry_time: Option<f64>,
    /// How many seconds after a failed delivery the first retry is made. Each further one waits twice as long.
    #[schema(default = 0.01, between(0.001, 1_000_000))]
    pub initial_retry_delay: Option<f64>,
    /// How many seconds there are between two retries at most.
    #[schema(default = 60, between(0.001, 1_000_000))]
    pub max_retry_delay: Option<f64>,
    /// How many deliveries are made at a time: 1, or -1 for one for each entry, at once and without batches.
    #[schema(default = 1, one_of(-1, 1))]
    pub concurrency_limit: Option<i64>,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            max_batch_size: Some(1),
            max_coalescing_delay: Some(1.0),
            max_entries: Some(10_000),
            max_bytes: None,
            max_retry_time: Some(60.0),
            initial_retry_delay: Some(0.01),
            max_retry_delay: Some(60.0),
            concurrency_limit: Some(1),
        }
    }
}
