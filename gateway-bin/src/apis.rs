//! The Admin API and the Status API on a thread of their own.

use std::{
    fmt::Display,
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use towergate_admin::{Admin, Connections, Peer};
use towergate_core::Scheme;
use towergate_logging::AccessLog;
use towergate_server::{Listen, Listeners, Stats};

use crate::{api_log, api_tls::ApiTls};

/// How long somebody may take to shake hands, or to send the head of a request.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long nobody is accepted after the system had no socket left.
const PAUSE: Duration = Duration::from_millis(100);

/// The open ports of an API, and what it shows on those with TLS.
pub(crate) struct Ports {
    pub(crate) listeners: Listeners,
    pub(crate) tls: Option<ApiTls>,
}

/// Makes what answers.
type MakeRouter = fn(Arc<Admin>) -> Router;

/// Serves both for as long as the process lives, and notes who asked for what. What nobody can reach is not made: the
/// table of the Admin API's endpoints alone takes near to a megabyte.
///
/// # Errors
/// When no thread or no event queue can be had.
pub(crate) fn serve(
    admin_ports: Ports,
    status_ports: Ports,
    [admin_log, status_log]: [Option<AccessLog>; 2],
    admin: Arc<Admin>,
) -> Result<(), String> {
    let offered: [(_, _, MakeRouter); 2] =
        [(admin_ports, admin_log, towergate_admin::router), (status_ports, status_log, towergate_admin::status_router)];
    let reachable = offered.into_iter().filter(|(ports, ..)| !ports.listeners.addresses().is_empty());
    let apis: Vec<_> =
        reachable.map(|(ports, log, router)| (ports, api_log::logged(router(admin.clone()), log))).collect();
    if apis.is_empty() {
        return Ok(());
    }
    let kept = admin;
    let (ready, started) = mpsc::channel();
    let serving = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut doors = JoinSet::new();
            for (ports, router) in apis {
                for (socket, listen) in ports.listeners.into_doors().into_iter().flatten() {
                    let door = Door { listen, tls: ports.tls.clone(), router: router.clone() };
                    doors.spawn(door.accept(TcpListener::from_std(socket)?));
                }
            }
            let _ = ready.send(());
            tokio::spawn(towergate_admin::forget_expired(kept));
            while doors.join_next().await.is_some() {}
            Ok::<_, std::io::Error>(())
        })
    };
    let failed = |error: &dyn Display| format!("cannot start the Admin API: {error}");
    thread::Builder::new().name("admin".into()).spawn(serving).map_err(|error| failed(&error))?;
    started.recv().map_err(|error| failed(&error))
}

/// One address of an API.
#[derive(Clone)]
struct Door {
    listen: Listen,
    tls: Option<ApiTls>,
    router: Router,
}

impl Door {
    /// Answers whoever comes.
    async fn accept(self, socket: TcpListener) {
        loop {
            match socket.accept().await {
                Ok((stream, address)) => {
                    tokio::spawn(self.clone().serve(stream, address));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection to the Admin API could not be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn serve(self, stream: TcpStream, address: SocketAddr) {
        let _ = stream.set_nodelay(true);
        let local = stream.local_addr().unwrap_or(self.listen.address);
        let mut peer = Peer { address, local, names: None };
        let tls = self.tls.filter(|_| self.listen.tls);
        let Some(tls) = tls else {
            return answer(stream, (peer, Scheme::Http), self.router, self.listen.http2).await;
        };
        // Whoever does not get through a handshake learns why from it.
        let Ok(Ok(stream)) = timeout(PATIENCE, tls.acceptor(self.listen.http2).accept(stream)).await else { return };
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        peer.names = shown.map(|certificate| towergate_tls::names(certificate).into());
        answer(stream, (peer, Scheme::Https), self.router, self.listen.http2).await;
    }
}

/// Answers the requests of a connection.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (peer, scheme): (Peer, Scheme),
    router: Router,
    http2: bool,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let builder = if http2 { builder } else { builder.http1_only() };
    let service = TowerToHyperService::new(router.layer(Extension(peer)).layer(Extension(scheme)));
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection to the Admin API ended early");
    }
}

/// The proxy's connections and requests, as the Admin API shows them.
pub(crate) fn connections(stats: &Stats) -> Connections {
    let now = stats.snapshot();
    Connections {
        connections_accepted: now.connections_accepted,
        connections_active: now.connections_active,
        connections_handled: now.connections_handled,
        connections_reading: now.connections_reading,
        connections_waiting: now.connections_waiting,
        connections_writing: now.connections_writing,
        total_requests: now.total_requests,
    }
}
