//! Where what a gateway logs is handed over.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tracing::Metadata;

use super::{line::Line, queue::LogQueue, request::RequestLogs};

/// The field by which a line names its request.
const REQUEST_ID: &str = "request_id";

/// Where a gateway hands over what it logs, for the plugins that send it to collectors: one in each gateway, among
/// the things its policies share.
#[derive(Debug, Default)]
pub struct Logs {
    is_wanted: AtomicBool,
    queues: Mutex<Vec<Weak<LogQueue>>>,
}

impl Logs {
    /// Whether a line of this kind is sent anywhere. Only what the gateway itself says is; and what sending has to say is
    /// not, because it would feed itself.
    pub fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let is_of_sending = || ["towergate_queue", "towergate_tracing"].iter().any(|name| target.starts_with(name));
        self.is_wanted.load(Relaxed) && target.starts_with("towergate") && !is_of_sending()
    }

    /// Takes a line that was written just now. One of a request goes with the others of that request, if the plugin is on
    /// its plan; one of no request goes to one of the collectors at once.
    pub fn take(&self, metadata: &'static Metadata<'static>, message: String) {
        let Err(line) = RequestLogs::keep(Line::now(metadata, message)) else { return };
        if metadata.fields().field(REQUEST_ID).is_some() {
            return;
        }
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|queue| queue.strong_count() > 0);
        self.is_wanted.store(!queues.is_empty(), Relaxed);
        let queue = queues.iter().find_map(Weak::upgrade);
        drop(queues);
        if let Some(queue) = queue {
            queue.push(line.record(None));
        }
    }

    /// From now on lines are wanted, as long as somebody holds this queue.
    pub(crate) fn follow(&self, queue: &Arc<LogQueue>) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(queue));
        self.is_wanted.store(true, Relaxed);
    }
}
