//! What is logged while a request is served.

use std::sync::{Arc, Mutex, PoisonError};

use super::{line::Line, queue::LogQueue};
use crate::logs::Place;

/// Most lines that are kept of one request: Kong's number.
const MOST: usize = 1000;

/// What was logged while a request was served.
#[derive(Debug, Default)]
pub(crate) struct RequestLogs {
    lines: Mutex<Vec<Line>>,
}

tokio::task_local! {
    /// Those of the request that is being served.
    static SERVED: Arc<RequestLogs>;
}

/// Runs this; what it logs is kept there, if that is given.
pub(crate) fn during<T>(logs: Option<&Arc<RequestLogs>>, run: impl FnOnce() -> T) -> T {
    match logs {
        Some(logs) => SERVED.sync_scope(logs.clone(), run),
        None => run(),
    }
}

impl RequestLogs {
    /// Keeps a line of the request that is being served; gives it back if there is none whose lines are kept.
    pub(super) fn keep(line: Line) -> Result<(), Line> {
        let Ok(logs) = SERVED.try_with(Arc::clone) else { return Err(line) };
        let mut lines = logs.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < MOST {
            lines.push(line);
        }
        Ok(())
    }

    /// Hands over what was kept.
    pub(crate) fn send(&self, place: &Place<'_>, queue: &LogQueue) {
        let lines = std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        lines.into_iter().for_each(|line| queue.push(line.record(Some(place))));
    }
}
