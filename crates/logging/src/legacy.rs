//! Old names of a queue's parameters, which still count in Kong if they are not what was the default.

use towergate_queue::{QueueConfig, Settings};

/// The settings of a queue, old names among them.
pub(crate) fn settings(queue: &QueueConfig, queue_size: Option<i64>, flush_timeout: Option<f64>) -> Settings {
    const OLD_SIZE: i64 = 1;
    const OLD_TIMEOUT: f64 = 2.0;
    let mut queue = queue.clone();
    if let Some(size) = queue_size.filter(|size| *size != OLD_SIZE) {
        queue.max_batch_size = Some(u64::try_from(size).unwrap_or(1).max(1));
    }
    if let Some(seconds) = flush_timeout.filter(|seconds| (seconds - OLD_TIMEOUT).abs() > f64::EPSILON) {
        queue.max_coalescing_delay = Some(seconds);
    }
    Settings::from(&queue)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn old_names_count_unless_they_say_what_was_the_default() {
        let queue = QueueConfig { max_batch_size: Some(7), max_coalescing_delay: Some(3.0), ..QueueConfig::default() };
        for (size, timeout, expected) in [
            (None, None, (7, 3)),
            (Some(1), Some(2.0), (7, 3)),
            (Some(20), Some(5.0), (20, 5)),
            (Some(-3), None, (1, 3)),
        ] {
            let settings = settings(&queue, size, timeout);
            let seconds = Duration::from_secs(expected.1);
            assert_eq!((settings.max_batch_size, settings.max_coalescing_delay), (expected.0, seconds));
        }
    }
}
