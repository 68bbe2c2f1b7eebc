//! From the queue to the collector.

use std::{
    future::Future,
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
    time::Duration,
};

use metrics::Counter;
use tokio::{
    select,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    ending::Ending,
    queue::{Entry, Waiting},
};

/// A wait for more entries that is shorter than this is not worth it.
const SHORT: Duration = Duration::from_millis(50);

/// The wait before a retry when the program ends.
const HURRIED: Duration = Duration::from_millis(200);

/// How often, at most, a queue tells that its deliveries fail.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Where entries are delivered to.
pub trait Deliver<T>: Send + Sync + 'static {
    /// Delivers a batch, which is never empty.
    ///
    /// # Errors
    /// Why it cannot be delivered now, for the log (no credentials in it). It is tried again.
    fn deliver(&self, batch: &[T]) -> impl Future<Output = Result<(), String>> + Send;
}

impl<T: Sync, D: Deliver<T>> Deliver<T> for Arc<D> {
    async fn deliver(&self, batch: &[T]) -> Result<(), String> {
        D::deliver(self, batch).await
    }
}

/// The work of one queue's delivery.
pub(crate) struct Delivery<T, D> {
    waiting: Arc<Waiting<T>>,
    sink: Arc<D>,
    end: Ending,
    told: Option<Instant>,
    lost: OnceLock<Lost>,
}

impl<T: Entry + Sync, D: Deliver<T>> Delivery<T, D> {
    pub(crate) fn new(waiting: Arc<Waiting<T>>, sink: Arc<D>, end: Ending) -> Self {
        Self { waiting, sink, end, told: None, lost: OnceLock::new() }
    }

    /// Delivers until nothing is left and nothing more can come.
    pub(crate) async fn run(mut self) {
        // Its counters are there from the beginning, so that the first loss is an increase.
        self.lost();
        if self.waiting.settings.is_concurrent {
            return self.run_concurrently().await;
        }
        while let Some(first) = self.next().await {
            let batch = self.gather(first).await;
            self.waiting.resume();
            self.hand_over(batch).await;
            self.count();
        }
        self.count();
    }

    /// Each entry at once, beside the others.
    async fn run_concurrently(self) {
        let mut flights = JoinSet::new();
        while let Some(entry) = self.next().await {
            self.waiting.resume();
            while flights.try_join_next().is_some() {}
            if flights.len() >= self.waiting.settings.max_entries {
                flights.join_next().await;
            }
            let mut flight = Self::new(self.waiting.clone(), self.sink.clone(), self.end.clone());
            flights.spawn(async move { flight.hand_over(vec![entry]).await });
            self.count();
        }
        while flights.join_next().await.is_some() {}
        self.count();
    }

    /// The next entry, waited for; `None` when there will be none.
    async fn next(&self) -> Option<T> {
        loop {
            // Asked before the last look: what was pushed before the end is found.
            let is_over = self.waiting.is_closed() || self.end.has_begun();
            if let Some(entry) = self.waiting.pop_or_sleep() {
                return Some(entry);
            }
            if is_over {
                return None;
            }
            select! {
                () = self.waiting.wake.notified() => {}
                () = self.end.begun() => {}
            }
        }
    }

    /// A batch that begins with this entry.
    async fn gather(&self, first: T) -> Vec<T> {
        let (size, delay) = (self.waiting.settings.max_batch_size, self.waiting.settings.max_coalescing_delay);
        let mut batch = vec![first];
        let full = Instant::now().checked_add(delay);
        while batch.len() < size {
            if let Some(entry) = self.waiting.pop_or_sleep() {
                batch.push(entry);
                continue;
            }
            let left = full.map_or(delay, |full| full.saturating_duration_since(Instant::now()));
            if left < SHORT || self.waiting.is_closed() || self.end.has_begun() {
                break;
            }
            select! {
                () = self.waiting.wake.notified() => {}
                () = self.end.begun() => {}
                () = sleep(left) => {}
            }
        }
        batch
    }

    /// Delivers a batch, as often as it takes or as is allowed.
    async fn hand_over(&mut self, batch: Vec<T>) {
        let began = Instant::now();
        let mut delay = self.waiting.settings.initial_retry_delay;
        loop {
            let Err(error) = self.attempt(&batch).await else { return };
            self.tell(&error);
            let waited = began.elapsed();
            match self.waiting.settings.max_retry_time {
                None => return self.give_up(batch.len(), "a failure (there are no retries)"),
                Some(max) if waited > max => return self.give_up(batch.len(), "max_retry_time exceeded"),
                Some(_) => {}
            }
            self.pause(delay.min(self.waiting.settings.max_retry_delay)).await;
            if self.end.is_late() {
                return self.give_up(batch.len(), "the gateway stops");
            }
            delay = delay.saturating_mul(2);
        }
    }

    /// One attempt; once the end has begun, no longer than until then.
    async fn attempt(&self, batch: &[T]) -> Result<(), String> {
        select! {
            done = self.sink.deliver(batch) => done,
            () = self.end.late() => Err("the gateway stops, and it took too long".into()),
        }
    }

    /// Waits before a retry. Once the end has begun, not for long: a collector that is back in time is
    /// worth more than politeness. And never beyond it.
    async fn pause(&self, delay: Duration) {
        let hurried = async {
            self.end.begun().await;
            sleep(HURRIED).await;
        };
        select! {
            () = sleep(delay) => {}
            () = hurried => {}
            () = self.end.late() => {}
        }
    }

    fn tell(&mut self, error: &str) {
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            self.told = Some(Instant::now());
            tracing::warn!("{}: handler could not process entries: {error}", self.waiting);
        }
    }

    fn give_up(&mut self, count: usize, why: &str) {
        tracing::error!("{}: could not send entries due to {why}. {count} queue entries were lost", self.waiting);
        self.lost().undelivered.increment(count.try_into().unwrap_or(u64::MAX));
    }

    /// Adds what was lost before it came here to what operators read.
    fn count(&self) {
        let (full, too_large) = (&self.waiting.dropped, &self.waiting.too_large);
        if full.load(Relaxed) > 0 {
            self.lost().full.increment(full.swap(0, Relaxed));
        }
        if too_large.load(Relaxed) > 0 {
            self.lost().too_large.increment(too_large.swap(0, Relaxed));
        }
    }

    fn lost(&self) -> &Lost {
        self.lost.get_or_init(|| Lost::of(self.waiting.plugin))
    }
}

/// What operators read of what was lost.
struct Lost {
    full: Counter,
    too_large: Counter,
    undelivered: Counter,
}

impl Lost {
    fn of(plugin: &'static str) -> Self {
        let counter = |reason: &'static str| metrics::counter!("towergate_queue_lost_entries_total", "plugin" => plugin, "reason" => reason);
        Self { full: counter("full"), too_large: counter("too_large"), undelivered: counter("undelivered") }
    }
}
