//! Work beside requests, owned by the configuration that asked for it.

use std::{collections::HashMap, fmt, ptr, sync::Arc};

use towergate_core::Task;
use uuid::Uuid;

/// A running task: it ends when this is dropped.
#[derive(Debug)]
struct Running(tokio::task::JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The background tasks of the policies in force.
pub(crate) struct Tasks {
    handle: tokio::runtime::Handle,
    running: HashMap<Uuid, (Arc<Start>, Option<Running>)>,
}

/// Makes the task of a policy, if it has one.
pub(crate) type Start = dyn Fn() -> Option<Task> + Send + Sync;

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("running", &self.running.len()).finish_non_exhaustive()
    }
}

impl Tasks {
    /// No task yet; those to come run on this runtime.
    pub(crate) fn new(handle: tokio::runtime::Handle) -> Self {
        Self { handle, running: HashMap::new() }
    }

    /// The runtime they run on.
    pub(crate) fn handle(&self) -> &tokio::runtime::Handle {
        &self.handle
    }

    /// Makes the running tasks those of these policies: what is no longer in force stops, what was
    /// carried over goes on, what is new starts.
    pub(crate) fn follow<'a>(&mut self, policies: impl IntoIterator<Item = (Uuid, &'a Arc<Start>)>) {
        let mut before = std::mem::take(&mut self.running);
        for (id, start) in policies {
            let is_same = |known: &(Arc<Start>, _)| ptr::addr_eq(Arc::as_ptr(&known.0), Arc::as_ptr(start));
            let going_on = before.remove(&id).filter(is_same);
            let running = going_on.unwrap_or_else(|| {
                let task = start().map(|task| Running(self.handle.spawn(task)));
                (start.clone(), task)
            });
            self.running.insert(id, running);
        }
    }
}
