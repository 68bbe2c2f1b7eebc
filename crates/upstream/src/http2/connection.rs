//! One HTTP/2 connection to an upstream and the streams it has room for.

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use h2::client::{self, SendRequest};
use tokio::time::{Instant, timeout};
use towergate_core::BoxError;

use super::{
    Patience,
    socket::{Socket, Traffic},
};
use crate::{
    error::{Error, Kind},
    transport::Transport,
};

/// How many bytes of one response an upstream may send before the client takes them: what a client
/// that reads slowly costs.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all responses of a connection: no limit, for else a few clients that do not read
/// would hold up all others.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// How many bytes of one request wait to be written at most.
const SEND_BUFFER: usize = 128 * 1024;

/// How long the headers of a response may be in all.
const HEADER_LIST: u32 = 64 * 1024;

/// A connection to an upstream. Its task lives as long as somebody holds one of these or a stream
/// of it; then it says goodbye and closes.
#[derive(Clone)]
pub(crate) struct Connection {
    sender: SendRequest<Bytes>,
    state: Arc<State>,
}

/// What the streams of a connection share.
#[derive(Debug)]
pub(crate) struct State {
    address: SocketAddr,
    traffic: Arc<Traffic>,
    /// Streams under way.
    streams: AtomicUsize,
    /// Streams ever begun.
    begun: AtomicU64,
    /// Whether it takes no more streams, because its peer seems to be gone.
    retired: AtomicBool,
    idle_since: Mutex<Instant>,
}

impl Connection {
    /// On a transport that was just made. Waits as long as connecting may take until the upstream has said what it allows. Before that
    /// it might speak something else, and nothing of a request is sent.
    pub(crate) async fn open(transport: Transport, address: SocketAddr, patience: Patience) -> Result<Self, Error> {
        let limit = patience.connect;
        let traffic = Arc::new(Traffic::default());
        let socket = Socket::new(transport, traffic.clone(), patience.write);
        let (sender, driver) = match timeout(limit, shake_hands(socket)).await {
            Ok(Ok(shaken)) => shaken,
            Ok(Err(cause)) => {
                let cause = format!("it does not speak HTTP/2: {cause}");
                return Err(Error::new(Kind::Connect(address)).because(cause));
            }
            Err(_) => return Err(Error::new(Kind::ConnectTimeout(address, limit))),
        };
        tokio::spawn(async move {
            if let Err(cause) = driver.await {
                tracing::trace!(%address, %cause, "Upstream connection ended");
            }
        });
        let state = State {
            address,
            traffic,
            streams: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            idle_since: Mutex::new(Instant::now()),
        };
        Ok(Self { sender, state: Arc::new(state) })
    }

    /// Whether more streams may be begun on it, now or when others have ended: its peer has neither
    /// closed nor said goodbye, and it has not served as many requests as it may (0 for any number).
    pub(crate) fn is_open(&mut self, max_requests: u64) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        matches!(self.sender.poll_ready(&mut cx), Poll::Ready(Ok(())))
            && !self.state.retired.load(Ordering::Relaxed)
            && (max_requests == 0 || self.state.begun.load(Ordering::Relaxed) < max_requests)
    }

    /// Room for one more stream, if the peer allows one.
    pub(crate) fn claim(&self) -> Option<Claim> {
        let streams = self.state.streams.load(Ordering::Relaxed);
        (streams < self.sender.current_max_send_streams()).then(|| {
            self.state.streams.store(streams.saturating_add(1), Ordering::Relaxed);
            self.state.begun.fetch_add(1, Ordering::Relaxed);
            Claim { sender: self.sender.clone(), slot: Slot(self.state.clone()) }
        })
    }

    /// Since when it has no stream; `None` while it has one.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (self.state.streams.load(Ordering::Relaxed) == 0).then(|| *self.state.idle_since())
    }
}

impl State {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// No more streams are to be begun on it.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    fn idle_since(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to begin one stream.
pub(crate) struct Claim {
    pub(crate) sender: SendRequest<Bytes>,
    pub(crate) slot: Slot,
}

/// One stream's place on its connection, free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<State>);

impl std::ops::Deref for Slot {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.0.streams.fetch_sub(1, Ordering::Relaxed) == 1 {
            *self.0.idle_since() = Instant::now();
        }
    }
}

/// Sends the preface and settings and waits for those of the peer.
async fn shake_hands(
    socket: Socket,
) -> Result<(SendRequest<Bytes>, impl Future<Output = Result<(), h2::Error>>), BoxError> {
    // No stream is allowed before the peer has said how many are.
    let handshake = client::Builder::new()
        .initial_max_send_streams(0)
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(HEADER_LIST)
        .handshake(socket);
    let (sender, mut driver) = handshake.await?;
    poll_fn(|cx| match Pin::new(&mut driver).poll(cx) {
        _ if sender.current_max_send_streams() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
        Poll::Ready(Ok(())) => Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())),
        Poll::Ready(Err(error)) => Poll::Ready(Err(BoxError::from(error))),
    })
    .await?;
    Ok((sender, driver))
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("state", &self.state).finish_non_exhaustive()
    }
}
