//! Workers: one thread each, with a runtime, sockets and a stack of its own.

use std::{
    convert::Infallible,
    io,
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tower_service::Service;
use towergate_core::{Body, BoxError};
use towergate_runtime::{Table, Watched};

use crate::{
    accept::{Acceptor, accept},
    config::{ServerConfig, Timeouts},
    listener::{Listen, Listeners},
    networks::Networks,
    stamp::Stamp,
    stats::{Counters, Stats},
};

/// What all connections of one worker share, and no other worker has.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) config: ServerConfig,
    pub(crate) trusted: Networks,
    pub(crate) stamp: Stamp,
    pub(crate) table: Watched<Table>,
    pub(crate) counters: Arc<Counters>,
}

/// The gateway's stack, whatever it is made of: what answers a request.
///
/// It stands for every cloneable tower service from requests to responses that never fails and
/// whose parts may be sent to another thread.
pub trait Stack:
    Service<Request<Body>, Response = Response<Self::Body>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
    /// The body of its responses.
    type Body: HttpBody<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static;
}

impl<S, B> Stack for S
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    type Body = B;
}

/// After how many steps of its connections a worker looks for what has come since, if it has not run out of steps
/// before. Looking seldom lets it take what came for many connections together; no step takes long.
const EVENT_INTERVAL: u32 = 256;

/// Running workers.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<JoinHandle<usize>>,
    orders: Orders,
    stats: Stats,
}

/// What running workers are told. They may be told more while they drain.
#[derive(Debug, Clone)]
pub struct Orders {
    drain: watch::Sender<Option<Instant>>,
    config: watch::Sender<ServerConfig>,
}

/// How a drain went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut off because the time was up.
    pub cut_off: usize,
}

impl Workers {
    /// Starts a worker for each watcher of the table, on the listeners' sockets.
    ///
    /// `make_stack` is called in each worker's thread, inside its runtime, with the worker's
    /// number: what it makes (connection pools, timers) is the worker's own. It is called once more for each
    /// [`Orders::renew`].
    ///
    /// # Errors
    /// If there are not as many watchers as workers that the listeners were bound for, or if the
    /// system gives no thread or no event queue. No worker runs then.
    pub fn start<S: Stack>(
        config: ServerConfig,
        listeners: Listeners,
        watched: Vec<Watched<Table>>,
        make_stack: impl Fn(usize) -> S + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let sockets = listeners.into_doors();
        if sockets.len() != watched.len() {
            let text = format!("sockets for {} workers, tables for {}", sockets.len(), watched.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if config.tls.is_none() && sockets.iter().flatten().any(|(_, listen)| listen.tls) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a listener with TLS, and no settings of TLS"));
        }
        let ((drain, draining), (renew, renewed)) = (watch::channel(None), watch::channel(config.clone()));
        let make_stack = Arc::new(make_stack);
        let orders = Orders { drain, config: renew };
        let mut workers = Self { threads: Vec::new(), orders, stats: Stats::default() };
        let mut counters = Vec::new();
        for (number, (sockets, table)) in sockets.into_iter().zip(watched).enumerate() {
            let worker = Worker::new(config.clone(), table, Arc::default());
            counters.push(worker.counters.clone());
            let runtime =
                Builder::new_current_thread().enable_io().enable_time().event_interval(EVENT_INTERVAL).build()?;
            let make_stack = make_stack.clone();
            let told = Told { draining: draining.clone(), config: renewed.clone() };
            let work = move || run(&runtime, worker, sockets, told, || make_stack(number));
            workers.threads.push(thread::Builder::new().name(format!("worker-{number}")).spawn(work)?);
        }
        workers.stats = Stats::of(counters);
        Ok(workers)
    }

    /// What the workers count.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// What tells them more.
    pub fn orders(&self) -> Orders {
        self.orders.clone()
    }

    /// Stops: no connection is accepted any more, idle ones are closed at once, requests that have
    /// begun are finished. What is not finished after `limit` is cut off, and what has not become a
    /// request within two seconds. Returns when all workers are gone.
    pub fn drain(mut self, limit: Duration) -> Drained {
        self.orders.stop_within(limit);
        let cut_off = self.threads.drain(..).map(|thread| thread.join().unwrap_or_default()).sum();
        Drained { cut_off }
    }
}

impl Orders {
    /// Serves new connections by these settings, each with a stack made anew. Connections that are open finish what they
    /// do as they began and are closed then, idle ones at once, as nginx' old workers do on a reload.
    ///
    /// # Errors
    /// If nothing is offered over TLS any more, or only now: listeners stay what they are.
    pub fn renew(&self, config: ServerConfig) -> io::Result<()> {
        if config.tls.is_some() != self.config.borrow().tls.is_some() {
            let text = "whether there are settings of TLS cannot change while listeners are open";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.config.send_replace(config);
        Ok(())
    }

    /// Lets a drain end after so long from now at the latest, whatever it was told before.
    pub fn stop_within(&self, limit: Duration) {
        const YEAR: Duration = Duration::from_hours(365 * 24);
        self.drain.send_replace(Instant::now().checked_add(limit.min(YEAR)));
    }
}

impl Drop for Workers {
    /// Without a drain before it, cuts everything off.
    fn drop(&mut self) {
        self.orders.stop_within(Duration::ZERO);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Worker {
    fn new(config: ServerConfig, table: Watched<Table>, counters: Arc<Counters>) -> Self {
        let (trusted, stamp) = (Networks::new(&config.trusted_ips), Stamp::new(&config));
        Self { config, trusted, stamp, table, counters }
    }
}

/// What a worker is told.
struct Told {
    draining: watch::Receiver<Option<Instant>>,
    config: watch::Receiver<ServerConfig>,
}

/// A worker's life; answers how many connections were cut off at its end.
fn run<S: Stack>(
    runtime: &Runtime,
    worker: Worker,
    doors: Vec<(TcpListener, Listen)>,
    mut told: Told,
    make_stack: impl Fn() -> S,
) -> usize {
    runtime.block_on(async move {
        let mut worker = Arc::new(worker);
        let counters = worker.counters.clone();
        let acceptor = Arc::new(Mutex::new(Acceptor::new(worker.clone(), make_stack())));
        let mut accepting = JoinSet::new();
        for (socket, listen) in doors {
            accepting.spawn(accept(socket, listen, acceptor.clone()));
        }
        while let Some(config) = tend(&worker, &mut told).await {
            worker = Arc::new(Worker::new(config, worker.table.again(), counters.clone()));
            let renewed = Acceptor::new(worker.clone(), make_stack());
            *acceptor.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
            counters.register.retire_all();
        }
        drop((worker, acceptor));
        // First those that are open, so that every response from now on says that it is the last;
        // then those that were accepted in the meantime.
        counters.register.retire_all();
        accepting.shutdown().await;
        counters.register.retire_all();
        finish(&counters, &told.draining).await;
        counters.register.len()
    })
}

/// Looks after the connections until there are other settings, which it answers, or it is time to stop.
async fn tend(worker: &Worker, told: &mut Told) -> Option<ServerConfig> {
    let (counters, timeouts) = (&worker.counters, &worker.config.timeouts);
    let mut ticks = tokio::time::interval(tick(timeouts));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // Whoever tells is gone: so are the workers.
            heard = told.draining.changed() => if heard.is_err() || told.draining.borrow_and_update().is_some() {
                return None;
            },
            Ok(()) = told.config.changed() => return Some(told.config.borrow_and_update().clone()),
            now = ticks.tick() => {
                counters.register.sweep(now.into_std(), timeouts);
                // Takes the newest table: without requests the one before would be kept in memory.
                worker.table.with(|_| ());
            }
        }
    }
}

/// Waits until no connection is left or the time is up. When nothing is being served, those that have not said in two
/// seconds what they want are not waited for any longer, and neither are those that do not leave.
async fn finish(counters: &Counters, draining: &watch::Receiver<Option<Instant>>) {
    const LOOK: Duration = Duration::from_millis(5);
    const QUIET: Duration = Duration::from_secs(2);
    let mut quiet_since = Instant::now();
    loop {
        let now = Instant::now();
        let end = draining.borrow().unwrap_or(now);
        let phases @ [_, _, serving] = counters.register.phases();
        if serving > 0 {
            quiet_since = now;
        }
        if now >= end || phases == [0; 3] || now.saturating_duration_since(quiet_since) >= QUIET {
            return;
        }
        tokio::time::sleep(LOOK.min(end.saturating_duration_since(now))).await;
    }
}

/// How often to look at the connections: once per second, or often enough for the shortest timeout.
fn tick(timeouts: &Timeouts) -> Duration {
    let Timeouts { keep_alive, header, send, .. } = *timeouts;
    let shortest = keep_alive.min(header).min(send);
    shortest.div_f32(4.0).clamp(Duration::from_millis(10), Duration::from_secs(1))
}
