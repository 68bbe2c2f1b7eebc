//! All queues of a program, and their end.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use crate::{
    delivery::{Deliver, Delivery},
    ending::Ending,
    queue::{Entry, Queue},
};

/// The deliveries of a program, so that its end can wait for them. Clones are the same.
#[derive(Clone)]
pub struct Queues {
    /// When everything must be over, once the end has begun.
    end: Arc<watch::Sender<Option<Instant>>>,
    running: Arc<watch::Sender<usize>>,
}

impl Default for Queues {
    fn default() -> Self {
        Self { end: Arc::new(watch::Sender::new(None)), running: Arc::new(watch::Sender::new(0)) }
    }
}

impl Queues {
    /// Starts, when it is polled, a task that delivers the queue's entries, and is done then. The task
    /// goes on until the last handle to the queue is dropped and nothing is left in it: dropping the
    /// future does not end it.
    pub fn deliver<T: Entry + Sync, D: Deliver<T>>(
        &self,
        queue: &Queue<T>,
        sink: D,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (waiting, end, running) = (queue.waiting(), Ending::new(&self.end), self.running.clone());
        Box::pin(async move {
            let running = Running::new(running);
            let delivery = Delivery::new(waiting, Arc::new(sink), end);
            tokio::spawn(async move {
                delivery.run().await;
                drop(running);
            });
        })
    }

    /// Delivers what waits, without waiting for more; answers how many deliveries were not done when
    /// the limit was up. What is pushed after this is not delivered.
    pub async fn drain(&self, limit: Duration) -> usize {
        let Some(end) = Instant::now().checked_add(limit) else { return 0 };
        self.end.send_replace(Some(end));
        let mut running = self.running.subscribe();
        // A delivery ends by itself at the limit; that is not missed by a hair.
        let late = end + Duration::from_millis(100);
        let _ = tokio::time::timeout_at(late, running.wait_for(|running| *running == 0)).await;
        *running.borrow()
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queues").field("running", &*self.running.borrow()).finish()
    }
}

/// A delivery that runs; it is over when this is dropped.
struct Running(Arc<watch::Sender<usize>>);

impl Running {
    fn new(running: Arc<watch::Sender<usize>>) -> Self {
        running.send_modify(|count| *count = count.saturating_add(1));
        Self(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
