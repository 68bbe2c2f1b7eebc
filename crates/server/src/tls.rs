//! TLS on the listeners of one worker: who speaks it, and the handshake.

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use tokio::{io::ReadBuf, net::TcpStream, sync::Semaphore};
use tokio_rustls::{
    LazyConfigAcceptor, TlsAcceptor,
    rustls::{ServerConfig, ServerConnection, server::Acceptor},
    server::TlsStream,
};
use towergate_core::{PeerCertificate, Session};
use towergate_tls::{Asked, CertificateSource, Certificates, explain};

use crate::{activity::Activity, stream::Stream, transport::Transport, worker::Worker};

/// The first byte of a handshake's record.
const HANDSHAKE: u8 = 0x16;

/// Set in the first byte of the oldest handshakes.
const SSL2: u8 = 0x80;

/// TLS on the listeners of one worker.
#[derive(Clone)]
pub(crate) struct Tls {
    silent: Configs,
    /// For clients that are asked for a certificate.
    asking: Configs,
    worker: Arc<Worker>,
    /// One handshake at a time may begin.
    turn: Arc<Semaphore>,
}

/// Without and with HTTP/2.
#[derive(Clone)]
struct Configs {
    http1: Arc<ServerConfig>,
    http2: Arc<ServerConfig>,
}

impl Configs {
    fn of(&self, http2: bool) -> Arc<ServerConfig> {
        if http2 { self.http2.clone() } else { self.http1.clone() }
    }
}

/// What came of a connection to a listener with TLS.
pub(crate) enum Accepted {
    /// A handshake, with what the client said of itself and of whom it wants.
    Secured(Stream, Introduction),
    /// No handshake: HTTP in cleartext, if anything.
    Cleartext(Stream),
}

/// What a client said in its handshake.
#[derive(Debug, Default)]
pub(crate) struct Introduction {
    /// The server it wants.
    pub(crate) server_name: Option<Box<str>>,
    /// What was agreed on.
    pub(crate) session: Option<Session>,
    /// The certificates it has shown.
    pub(crate) certificate: Option<Arc<PeerCertificate>>,
}

impl Introduction {
    fn of(connection: &ServerConnection) -> Self {
        let shown = connection.peer_certificates().unwrap_or_default();
        let certificate = PeerCertificate::new(shown.iter().map(|certificate| certificate.as_ref().into()).collect());
        let session = towergate_tls::agreed(connection).map(|(version, cipher)| Session { version, cipher });
        let server_name = connection.server_name().map(Into::into);
        Self { server_name, session, certificate: certificate.map(Arc::new) }
    }
}

impl Tls {
    /// What the worker's settings say, if they speak of TLS.
    pub(crate) fn new(worker: &Arc<Worker>) -> Option<Self> {
        let server = worker.config.tls.as_ref()?;
        let newest = || Newest(worker.clone());
        let silent = Configs { http1: server.config(newest(), false), http2: server.config(newest(), true) };
        let asking =
            Configs { http1: server.asking_config(newest(), false), http2: server.asking_config(newest(), true) };
        Some(Self { silent, asking, worker: worker.clone(), turn: Arc::new(Semaphore::new(1)) })
    }

    /// Shakes hands; nothing if the client did not, or if the connection is to close. Whoever takes
    /// too long over it is ended by the worker's look at all connections.
    pub(crate) async fn accept(&self, socket: TcpStream, http2: bool, activity: &Arc<Activity>) -> Option<Accepted> {
        let first = first_byte(&socket, activity).await?;
        let peer = socket.peer_addr().ok();
        let stream = Stream::new(Transport::Tcp(socket), activity.clone());
        if first != HANDSHAKE && first & SSL2 == 0 {
            return Some(Accepted::Cleartext(stream));
        }
        // From now on it has as long as a head has.
        activity.received();
        match self.begin(stream, http2).await {
            Ok(tls) => {
                activity.settle();
                let introduction = Introduction::of(tls.get_ref().1);
                Some(Accepted::Secured(Stream::new(Transport::Tls(Box::new(tls)), activity.clone()), introduction))
            }
            Err(error) => {
                // Scanners fail many, and nobody here is at fault.
                let peer = peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string());
                tracing::debug!(peer, cause = %explain(&error), "TLS handshake failed");
                None
            }
        }
    }

    /// A handshake in which the client is asked for a certificate if it may need one.
    async fn begin(&self, stream: Stream, http2: bool) -> io::Result<TlsStream<Stream>> {
        match self.worker.table.with(|table| table.asked.clone()) {
            Asked::Nobody => self.shake(TlsAcceptor::from(self.silent.of(http2)).accept(stream)).await,
            Asked::Everybody => self.shake(TlsAcceptor::from(self.asking.of(http2)).accept(stream)).await,
            some @ Asked::Names(_) => {
                let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
                let configs =
                    if some.includes(hello.client_hello().server_name()) { &self.asking } else { &self.silent };
                self.shake(hello.into_stream(configs.of(http2))).await
            }
        }
    }

    /// A handshake whose first part, the key exchange and a signature, waits for its turn: whatever
    /// else the worker has to do comes between two of them, however many clients come at once.
    async fn shake<H: Future + Unpin>(&self, mut handshake: H) -> H::Output {
        let turn = self.turn.acquire().await;
        let begun = poll_fn(|cx| Poll::Ready(Pin::new(&mut handshake).poll(cx))).await;
        tokio::task::yield_now().await;
        drop(turn);
        match begun {
            Poll::Ready(done) => done,
            Poll::Pending => handshake.await,
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// The first byte a client sends, left where it is; nothing if there is none, or if the connection
/// is asked to close before.
async fn first_byte(socket: &TcpStream, activity: &Activity) -> Option<u8> {
    let mut byte = [0];
    let peeked = poll_fn(|cx| {
        activity.waken_by(cx.waker());
        if activity.is_retiring() {
            return Poll::Ready(Err(io::ErrorKind::Interrupted.into()));
        }
        socket.poll_peek(cx, &mut ReadBuf::new(&mut byte))
    });
    match peeked.await {
        Ok(1..) => byte.first().copied(),
        _ => None,
    }
}

/// The worker's newest certificates.
struct Newest(Arc<Worker>);

impl CertificateSource for Newest {
    fn look(&self, use_them: &mut dyn FnMut(&Certificates)) {
        self.0.table.with(|table| use_them(&table.certificates));
    }
}
