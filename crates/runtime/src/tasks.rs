//! Work beside requests, owned by the configuration that asked for it.

use std::{collections::HashMap, fmt};

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
    running: HashMap<Uuid, Option<Running>>,
}

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
    pub(crate) fn follow<'a>(&mut self, policies: impl IntoIterator<Item = Followed<'a>>) {
        let mut before = std::mem::take(&mut self.running);
        for Followed { id, carried_over, start } in policies {
            let going_on = if carried_over { before.remove(&id) } else { None };
            let running = going_on.unwrap_or_else(|| start().map(|task| Running(self.handle.spawn(task))));
            self.running.insert(id, running);
        }
    }
}

/// A policy in force, as its task is concerned.
pub(crate) struct Followed<'a> {
    pub(crate) id: Uuid,
    pub(crate) carried_over: bool,
    pub(crate) start: &'a dyn Fn() -> Option<Task>,
}
