//! From a listening socket to connections that are served.

use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::net::{TcpListener, TcpStream};
use towergate_http1::server as http1;

use crate::{
    activity::Activity,
    capacity::Capacity,
    connection::Connection,
    http2::{self, Spoken},
    listener::Listen,
    origin::Origin,
    proxy_protocol,
    stats::Counters,
    stream::Stream,
    tls::{Accepted, Tls},
    transport::Transport,
    worker::{Stack, Worker},
};

/// Makes sockets into connections.
#[derive(Clone)]
pub(crate) struct Acceptor<S> {
    worker: Arc<Worker>,
    stack: S,
    http: http1::Config,
    tls: Option<Tls>,
}

impl<S: Stack> Acceptor<S> {
    pub(crate) fn new(worker: Arc<Worker>, stack: S) -> Self {
        let limits = &worker.config.limits;
        let (line, head, header_lines) = (limits.line, limits.head, limits.header_lines);
        let http = http1::Config { line, head, header_lines, ..http1::Config::default() };
        let tls = Tls::new(&worker);
        Self { worker, stack, http, tls }
    }

    /// Serves a connection in a task of its own.
    fn serve(&self, socket: TcpStream, peer: SocketAddr, listen: Listen) {
        let counters = &self.worker.counters;
        let number = Counters::count(&counters.accepted);
        let origin = Origin::new(number, peer, socket.local_addr().ok(), &self.worker.config);
        // Small answers must not wait for acknowledgements.
        let _ = socket.set_nodelay(true);
        let activity = Arc::new(Activity::default());
        let entry = Entry { worker: self.worker.clone(), number };
        let task = tokio::spawn(self.clone().connect(socket, origin, listen, activity.clone(), entry));
        counters.register.add(number, activity, task.abort_handle());
    }

    /// A connection's task: what comes before HTTP, then HTTP.
    async fn connect(
        self,
        mut socket: TcpStream,
        mut origin: Origin,
        listen: Listen,
        activity: Arc<Activity>,
        entry: Entry,
    ) {
        if listen.proxy_protocol {
            // Read like a head, and within the time for one.
            activity.received();
            match proxy_protocol::read(&mut socket).await {
                Ok(told) => origin.told = told,
                Err(broken) => return origin.close(&broken),
            }
            activity.end();
        }
        let (mut stream, origin) = if listen.tls {
            // Boxed: a handshake takes ten times the memory that the connection has afterwards, in cleartext too.
            match Box::pin(secure(self.tls.as_ref(), listen.http2, socket, origin, &activity)).await {
                Some(secured) => secured,
                None => return,
            }
        } else {
            (Stream::new(Transport::Tcp(socket), activity.clone()), origin)
        };
        let spoken = match listen.http2 {
            false => Ok(Spoken::Http1),
            true => Spoken::by_prior_knowledge(&mut stream, &activity).await,
        };
        match spoken {
            Ok(Spoken::Http1) => self.serve_http1(stream, origin, activity, entry).await,
            Ok(Spoken::Http2) => self.serve_http2(stream, origin, activity, entry).await,
            // Gone before it said anything.
            Err(_) => {}
        }
    }

    /// HTTP/2 over a stream, to the end of the connection.
    async fn serve_http2(self, stream: Stream, origin: Origin, activity: Arc<Activity>, _entry: Entry) {
        let connection = Connection::new(self.worker.clone(), self.stack, activity.clone(), origin);
        http2::serve(stream, connection, activity, &self.worker.config).await;
    }

    /// HTTP/1 over a stream, to the end of the connection. Time is kept by the worker's look at all
    /// connections (see `activity`).
    async fn serve_http1(self, stream: Stream, origin: Origin, activity: Arc<Activity>, _entry: Entry) {
        let service = Connection::new(self.worker.clone(), self.stack, activity.clone(), origin);
        let mut http = pin!(http1::Connection::new(stream, service, self.http));
        let mut is_told = false;
        let end = poll_fn(|cx| {
            activity.waken_by(cx.waker());
            if activity.is_retiring() && !std::mem::replace(&mut is_told, true) {
                http.as_mut().shut_down();
            }
            http.as_mut().poll(cx)
        });
        if end.await.is_err_and(|broken| broken.looks_whole()) {
            http.as_mut().with_stream(|stream| stream.reset());
        }
    }
}

/// The handshake of a listener with TLS; nothing if the connection ends with it.
async fn secure(
    tls: Option<&Tls>,
    http2: bool,
    socket: TcpStream,
    origin: Origin,
    activity: &Arc<Activity>,
) -> Option<(Stream, Origin)> {
    match tls?.accept(socket, http2, activity).await? {
        Accepted::Secured(stream, introduction) => Some((stream, origin.secured(introduction))),
        Accepted::Cleartext(stream) => Some((stream, origin.without_tls())),
    }
}

/// Accepts connections for ever.
///
/// The lock is this worker's alone: it is taken once for each connection, and when settings are renewed.
pub(crate) async fn accept<S: Stack>(socket: std::net::TcpListener, listen: Listen, acceptor: Arc<Mutex<Acceptor<S>>>) {
    let address = socket.local_addr().ok();
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(?address, %error, "Cannot watch a listening socket; it is closed"),
    };
    let (mut failures, mut capacity) = (0u32, Capacity::default());
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                failures = 0;
                let acceptor = lock(&acceptor);
                if capacity.admits(&acceptor.worker, address) {
                    acceptor.serve(socket, peer, listen);
                }
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                // Out of file descriptors or memory. Others will end and give some back; idle ones are asked to.
                if failures == 0 {
                    tracing::error!(?address, %error, "Cannot accept connections for now; trying again");
                }
                failures = failures.saturating_add(1);
                capacity.make_room(&lock(&acceptor).worker, Instant::now());
                tokio::time::sleep(pause(failures)).await;
            }
        }
    }
}

fn lock<S>(acceptor: &Mutex<Acceptor<S>>) -> MutexGuard<'_, Acceptor<S>> {
    acceptor.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether only this one connection is concerned.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | TimedOut | WouldBlock)
}

/// 10 ms, 20 ms, 40 ms … at most a second.
fn pause(failures: u32) -> Duration {
    let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    Duration::from_millis(10).saturating_mul(factor).min(Duration::from_secs(1))
}

/// Takes the connection out of the register when its task ends, however it ends.
struct Entry {
    worker: Arc<Worker>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.worker.counters.register.remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second() {
        let pauses: Vec<_> = [1, 2, 3, 7, 8, 40, u32::MAX].map(|failures| pause(failures).as_millis()).into();
        assert_eq!(pauses, [10, 20, 40, 640, 1000, 1000, 1000]);
    }

    #[test]
    fn a_client_that_went_away_is_no_reason_to_pause() {
        assert!(is_the_clients(&io::ErrorKind::ConnectionAborted.into()));
        const TOO_MANY_OPEN_FILES: i32 = 24;
        assert!(!is_the_clients(&io::Error::from_raw_os_error(TOO_MANY_OPEN_FILES)));
    }
}
