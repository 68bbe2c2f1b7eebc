//! Lines that wait for a collector.

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use towergate_queue::{Queue, Settings};

use crate::otlp::OtlpLog;

/// A queue of lines. Unlike other queues it keeps what it has when it is full, as in Kong: newer lines are no more
/// important than those before them.
#[derive(Debug)]
pub(crate) struct LogQueue {
    queue: Queue<OtlpLog>,
    max_entries: usize,
}

impl LogQueue {
    pub(crate) fn new(plugin: &'static str, name: String, settings: Settings) -> Self {
        let max_entries = settings.max_entries;
        Self { queue: Queue::new(plugin, name, settings), max_entries }
    }

    pub(crate) fn push(&self, record: LogRecord) {
        if self.queue.len() < self.max_entries {
            self.queue.push(OtlpLog(record));
        }
    }

    /// What is delivered.
    pub(crate) fn queue(&self) -> &Queue<OtlpLog> {
        &self.queue
    }
}
