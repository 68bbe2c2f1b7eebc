//! What reaches the collector, when, and what is lost.

#![allow(clippy::unwrap_used, reason = "a test fails so")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::time::Instant;
use towergate_queue::{Deliver, Queue, Queues, Settings};

/// When a batch came, and what was in it.
type Came = (Instant, Vec<String>);

/// A collector that refuses the first so many deliveries and remembers when what came.
#[derive(Clone, Default)]
struct Collector {
    refuses: Arc<AtomicUsize>,
    takes: Duration,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Collector {
    fn refusing(times: usize) -> Self {
        Self { refuses: Arc::new(AtomicUsize::new(times)), ..Self::default() }
    }

    fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }

    fn batches(&self) -> Vec<Vec<String>> {
        self.came().into_iter().map(|(_, batch)| batch).collect()
    }
}

impl Deliver<String> for Collector {
    async fn deliver(&self, batch: &[String]) -> Result<(), String> {
        tokio::time::sleep(self.takes).await;
        self.came.lock().unwrap().push((Instant::now(), batch.to_vec()));
        let refuse = self.refuses.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        refuse.map_or(Ok(()), |_| Err("no".into()))
    }
}

/// A queue with a delivery to this collector, on a clock that stands still while there is work.
async fn started(settings: Settings, collector: &Collector) -> (Queue<String>, Queues) {
    let (queue, queues) = (Queue::new("test", "1", settings), Queues::default());
    queues.deliver(&queue, collector.clone()).await;
    (queue, queues)
}

fn push(queue: &Queue<String>, entries: impl IntoIterator<Item = usize>) {
    entries.into_iter().for_each(|number| queue.push(number.to_string()));
}

fn batch(entries: impl IntoIterator<Item = usize>) -> Vec<String> {
    entries.into_iter().map(|number| number.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn by_itself_each_entry_is_delivered_at_once() {
    let collector = Collector::default();
    let (queue, _queues) = started(Settings::default(), &collector).await;
    let start = Instant::now();
    push(&queue, 0..3);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(collector.batches(), [batch([0]), batch([1]), batch([2])]);
    assert!(collector.came().iter().all(|(when, _)| *when - start < Duration::from_millis(5)));
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_goes_at_once_and_the_rest_after_the_coalescing_delay() {
    let collector = Collector::default();
    let settings = Settings { max_batch_size: 3, max_coalescing_delay: Duration::from_secs(2), ..Settings::default() };
    let (queue, _queues) = started(settings, &collector).await;
    let start = Instant::now();
    push(&queue, 0..4);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(collector.batches(), [batch(0..3)]);
    push(&queue, 4..5);
    tokio::time::sleep(Duration::from_millis(1000)).await;
    assert_eq!(collector.batches(), [batch(0..3), batch(3..5)]);
    let waited = collector.came()[1].0 - start;
    assert!(waited >= Duration::from_secs(2) - Duration::from_millis(50) && waited < Duration::from_millis(2100));
}

#[tokio::test(start_paused = true)]
async fn a_failed_batch_is_repeated_after_pauses_that_double() {
    let collector = Collector::refusing(5);
    let settings = Settings {
        initial_retry_delay: Duration::from_millis(100),
        max_retry_delay: Duration::from_millis(500),
        ..Settings::default()
    };
    let (queue, _queues) = started(settings, &collector).await;
    push(&queue, 0..1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let times: Vec<_> = collector.came().iter().map(|(when, _)| *when).collect();
    let pauses: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_millis() / 50 * 50).collect();
    assert_eq!(pauses, [100, 200, 400, 500, 500]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_delivered_in_time_is_given_up() {
    let collector = Collector::refusing(usize::MAX);
    let settings = Settings {
        initial_retry_delay: Duration::from_secs(1),
        max_retry_delay: Duration::from_secs(1),
        max_retry_time: Some(Duration::from_secs(3)),
        ..Settings::default()
    };
    let (queue, _queues) = started(settings, &collector).await;
    push(&queue, 0..2);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(collector.batches(), [vec![batch([0]); 5], vec![batch([1]); 5]].concat(), "at 0, 1, 2, 3, 4 s");
}

#[tokio::test(start_paused = true)]
async fn without_a_time_for_retries_there_is_none() {
    let collector = Collector::refusing(usize::MAX);
    let (queue, _queues) = started(Settings { max_retry_time: None, ..Settings::default() }, &collector).await;
    push(&queue, 0..2);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(collector.batches(), [batch([0]), batch([1])]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_keeps_the_newest() {
    let collector = Collector::default();
    let queue = Queue::new("test", "1", Settings { max_entries: 3, max_batch_size: 9, ..Settings::default() });
    push(&queue, 0..10);
    assert_eq!(queue.len(), 3);
    Queues::default().deliver(&queue, collector.clone()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(collector.batches(), [batch(7..10)]);
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_too() {
    let collector = Collector::default();
    let settings = Settings { max_bytes: Some(10), max_batch_size: 9, ..Settings::default() };
    let queue = Queue::new("test", "1", settings);
    for entry in ["aaaa", "bbbb", "cccc", "far too large", "dd"] {
        queue.push(entry.to_owned());
    }
    Queues::default().deliver(&queue, collector.clone()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(collector.batches(), [["bbbb", "cccc", "dd"]]);
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_is_down_costs_no_more_than_the_bound() {
    let collector = Collector::refusing(usize::MAX);
    let settings = Settings { max_entries: 100, max_batch_size: 10, ..Settings::default() };
    let (queue, _queues) = started(settings, &collector).await;
    for _ in 0..50 {
        push(&queue, 0..1000);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(queue.len() <= 100, "{}", queue.len());
    }
    assert!(!collector.came().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unlimited_queue_does_not_wait_for_its_collector() {
    let collector = Collector { takes: Duration::from_secs(5), ..Collector::default() };
    let settings = Settings { is_concurrent: true, max_entries: 50, ..Settings::default() };
    let (queue, _queues) = started(settings, &collector).await;
    let start = Instant::now();
    push(&queue, 0..20);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(collector.came().len(), 20);
    assert!(collector.came().iter().all(|(when, _)| *when - start < Duration::from_secs(6)));
}

#[tokio::test(start_paused = true)]
async fn the_end_delivers_what_waits_at_once() {
    let collector = Collector::default();
    let settings =
        Settings { max_batch_size: 100, max_coalescing_delay: Duration::from_secs(60), ..Settings::default() };
    let (queue, queues) = started(settings, &collector).await;
    push(&queue, 0..5);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    assert_eq!(queues.drain(Duration::from_secs(5)).await, 0);
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(collector.batches(), [batch(0..5)]);
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_no_longer_than_it_may() {
    for collector in
        [Collector::refusing(usize::MAX), Collector { takes: Duration::from_secs(3600), ..Collector::default() }]
    {
        let (queue, queues) = started(Settings::default(), &collector).await;
        push(&queue, 0..2);
        let start = Instant::now();
        assert_eq!(queues.drain(Duration::from_secs(3)).await, 0, "deliveries end by themselves");
        assert!(start.elapsed() <= Duration::from_millis(3010), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_nobody_holds_any_more_is_delivered_and_over() {
    let collector = Collector::default();
    let settings =
        Settings { max_batch_size: 100, max_coalescing_delay: Duration::from_secs(60), ..Settings::default() };
    let (queue, queues) = started(settings, &collector).await;
    push(&queue, 0..5);
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(queue);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(collector.batches(), [batch(0..5)]);
    assert_eq!(format!("{queues:?}"), "Queues { running: 0 }");
}

#[test]
fn many_threads_may_push() {
    let collector = Collector::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let settings = Settings { max_batch_size: 64, max_entries: 1_000_000, ..Settings::default() };
    let (queue, queues) = runtime.block_on(started(settings, &collector));
    let pushing: Vec<_> = (0..4)
        .map(|thread| {
            let queue = queue.clone();
            std::thread::spawn(move || push(&queue, (0..5000).map(|number| number * 4 + thread)))
        })
        .collect();
    runtime.block_on(async {
        while pushing.iter().any(|thread| !thread.is_finished()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        queues.drain(Duration::from_secs(10)).await;
    });
    let mut all: Vec<usize> = collector.batches().concat().iter().map(|entry| entry.parse().unwrap()).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..20_000));
}
